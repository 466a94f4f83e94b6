/*
 * SRTP's cryptography by Intel's libipsec-mb, batched: what `bench crypto` measures ours beside.
 *
 *   ipsec_mb SUITE protect|unprotect STREAMS
 *
 * For each line on standard input it passes over all streams as many times as the line says, 172-byte RTP packets in batches
 * of 32 jobs, and prints for each pass the nanoseconds a packet took. Keys, HMAC pads and GCM tables are ready before; what undoes the last pass is not timed.
 * It does what SRTP needs of a library and no more: no header is parsed, no index guessed, no window kept.
 */
#include <intel-ipsec-mb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEADER = 12, BODY = 160, PLAIN = HEADER + BODY, ROOM = 256, BATCH = 32 };

struct stream {
	_Alignas(64) uint8_t encrypt[15 * 16];
	_Alignas(64) uint8_t decrypt[15 * 16];
	_Alignas(64) uint8_t inner[20];
	uint8_t outer[20];
	uint8_t iv[16];
	_Alignas(64) struct gcm_key_data gcm;
};

struct packet {
	_Alignas(64) uint8_t bytes[ROOM];
	uint8_t tag[32];
};

static IMB_MGR *manager;
static struct stream *streams;
static struct packet *packets;
static uint8_t (*protected_bytes)[ROOM];
static unsigned count, key_size, tag_size;
static int is_gcm, is_protect;

static void die(const char *why)
{
	fprintf(stderr, "ipsec_mb: %s\n", why);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void write_rollover(uint8_t *at)
{
	memset(at, 0, 4);
}

/* What each packet is brought to before a pass. */
static void reset(int to_protect)
{
	for (unsigned i = 0; i < count; i++) {
		if (to_protect) {
			uint8_t *b = packets[i].bytes;
			memset(b, 0x80 ^ (uint8_t)i, PLAIN);
			b[0] = 0x80;
		} else {
			memcpy(packets[i].bytes, protected_bytes[i], ROOM);
		}
	}
}

static void finish_counter(const IMB_JOB *job)
{
	struct packet *p = job->user_data;
	if (job->status != IMB_STATUS_COMPLETED)
		die("a job failed");
	if (job->cipher_direction == IMB_DIR_ENCRYPT) {
		memcpy(p->bytes + PLAIN, p->tag, tag_size);
		return;
	}
	uint8_t differs = 0;
	for (unsigned i = 0; i < tag_size; i++)
		differs |= p->tag[i] ^ p->tag[20 + i];
	if (differs)
		die("a tag does not verify");
}

static void fill_job(IMB_JOB *job, struct stream *s, struct packet *p, int protect)
{
	if (!protect)
		memcpy(p->tag + 20, p->bytes + PLAIN, tag_size);
	write_rollover(p->bytes + PLAIN);
	job->enc_keys = s->encrypt;
	job->dec_keys = s->encrypt;
	job->key_len_in_bytes = key_size;
	job->cipher_mode = IMB_CIPHER_CNTR;
	job->cipher_direction = protect ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = protect ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->src = p->bytes;
	job->dst = p->bytes + HEADER;
	job->iv = s->iv;
	job->iv_len_in_bytes = 16;
	job->cipher_start_src_offset_in_bytes = HEADER;
	job->msg_len_to_cipher_in_bytes = BODY;
	job->hash_alg = IMB_AUTH_HMAC_SHA_1;
	job->u.HMAC._hashed_auth_key_xor_ipad = s->inner;
	job->u.HMAC._hashed_auth_key_xor_opad = s->outer;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = PLAIN + 4;
	job->auth_tag_output = p->tag;
	job->auth_tag_output_len_in_bytes = 12;
	job->user_data = p;
}

static void finish_all(IMB_JOB **jobs, unsigned finished)
{
	for (unsigned i = 0; i < finished; i++)
		finish_counter(jobs[i]);
}

/* Jobs stay in its lanes from batch to batch, where it is quickest; ours empties them after each. */
static void pass_counter(int protect)
{
	IMB_JOB *jobs[BATCH];
	unsigned finished;
	for (unsigned begun = 0; begun < count;) {
		unsigned batch = count - begun < BATCH ? count - begun : BATCH;
		while (IMB_GET_NEXT_BURST(manager, batch, jobs) < batch)
			finish_all(jobs, IMB_FLUSH_BURST(manager, BATCH, jobs));
		for (unsigned i = 0; i < batch; i++, begun++)
			fill_job(jobs[i], &streams[begun], &packets[begun], protect);
		finish_all(jobs, IMB_SUBMIT_BURST_NOCHECK(manager, batch, jobs));
	}
	while ((finished = IMB_FLUSH_BURST(manager, BATCH, jobs)))
		finish_all(jobs, finished);
}

static void pass_gcm(int protect)
{
	for (unsigned i = 0; i < count; i++) {
		struct stream *s = &streams[i];
		struct packet *p = &packets[i];
		struct gcm_context_data context;
		uint8_t *body = p->bytes + HEADER, *tag = protect ? p->bytes + PLAIN : p->tag;
		if (key_size == 16 && protect)
			IMB_AES128_GCM_ENC(manager, &s->gcm, &context, body, body, BODY, s->iv, p->bytes, HEADER, tag, 16);
		else if (key_size == 16)
			IMB_AES128_GCM_DEC(manager, &s->gcm, &context, body, body, BODY, s->iv, p->bytes, HEADER, tag, 16);
		else if (protect)
			IMB_AES256_GCM_ENC(manager, &s->gcm, &context, body, body, BODY, s->iv, p->bytes, HEADER, tag, 16);
		else
			IMB_AES256_GCM_DEC(manager, &s->gcm, &context, body, body, BODY, s->iv, p->bytes, HEADER, tag, 16);
		if (!protect) {
			uint8_t differs = 0;
			for (unsigned k = 0; k < 16; k++)
				differs |= tag[k] ^ p->bytes[PLAIN + k];
			if (differs)
				die("a tag does not verify");
		}
	}
}

static void pass(int protect)
{
	if (is_gcm)
		pass_gcm(protect);
	else
		pass_counter(protect);
}

static void make_keys(struct stream *s, unsigned number)
{
	uint8_t key[32], pad[64];
	for (unsigned i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(number * 7 + i * 13);
	memset(s->iv, 0, sizeof s->iv);
	memcpy(s->iv, &number, sizeof number);
	if (is_gcm) {
		if (key_size == 16)
			IMB_AES128_GCM_PRE(manager, key, &s->gcm);
		else
			IMB_AES256_GCM_PRE(manager, key, &s->gcm);
		return;
	}
	if (key_size == 16)
		IMB_AES_KEYEXP_128(manager, key, s->encrypt, s->decrypt);
	else
		IMB_AES_KEYEXP_256(manager, key, s->encrypt, s->decrypt);
	memset(pad, 0x36, sizeof pad);
	for (unsigned i = 0; i < 20; i++)
		pad[i] ^= key[i];
	IMB_SHA1_ONE_BLOCK(manager, pad, s->inner);
	for (unsigned i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	IMB_SHA1_ONE_BLOCK(manager, pad, s->outer);
}

static void *room(size_t size)
{
	void *at = aligned_alloc(64, (size + 63) / 64 * 64);
	if (!at)
		die("no memory");
	memset(at, 0, size);
	return at;
}

int main(int argc, char **argv)
{
	char line[64];
	if (argc != 4)
		die("SUITE protect|unprotect STREAMS");
	is_gcm = strstr(argv[1], "gcm") != NULL;
	key_size = strstr(argv[1], "256") ? 32 : 16;
	tag_size = is_gcm ? 16 : strstr(argv[1], "_32") ? 4 : 10;
	is_protect = strcmp(argv[2], "protect") == 0;
	count = (unsigned)atoi(argv[3]);
	manager = alloc_mb_mgr(0);
	if (!manager || !count)
		die("no manager, or no streams");
	init_mb_mgr_auto(manager, NULL);
	streams = room(count * sizeof *streams);
	packets = room(count * sizeof *packets);
	protected_bytes = room(count * sizeof *protected_bytes);
	for (unsigned i = 0; i < count; i++)
		make_keys(&streams[i], i);
	reset(1);
	pass(1);
	for (unsigned i = 0; i < count; i++)
		memcpy(protected_bytes[i], packets[i].bytes, ROOM);
	while (fgets(line, sizeof line, stdin)) {
		for (int passes = atoi(line); passes > 0; passes--) {
			reset(is_protect);
			uint64_t began = now();
			pass(is_protect);
			printf("%.3f\n", (double)(now() - began) / count);
		}
		fflush(stdout);
	}
	return 0;
}
