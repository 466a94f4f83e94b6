/*
 * SRTP by libsrtp2: what `bench crypto` measures ours beside.
 *
 *   libsrtp SUITE protect|unprotect STREAMS
 *
 * For each line on standard input it passes over all streams as many times as the line says, 172-byte RTP packets, and prints
 * for each pass the nanoseconds a packet took. Sessions are ready before; making the packets of the next pass is not timed.
 */
#include <srtp2/srtp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEADER = 12, BODY = 160, PLAIN = HEADER + BODY, ROOM = 256 };

struct packet {
	_Alignas(64) uint8_t bytes[ROOM];
	int length;
};

static srtp_t *senders, *receivers;
static struct packet *packets;
static unsigned count;
static uint16_t sequence = 1;

static void die(const char *why)
{
	fprintf(stderr, "libsrtp: %s\n", why);
	exit(1);
}

static void must(srtp_err_status_t status)
{
	if (status != srtp_err_status_ok) {
		fprintf(stderr, "libsrtp: status %d\n", (int)status);
		exit(1);
	}
}

static uint64_t now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void choose(srtp_crypto_policy_t *policy, const char *suite, int is_rtcp)
{
	if (!strcmp(suite, "aes_cm_128_hmac_sha1_80") || (is_rtcp && !strcmp(suite, "aes_cm_128_hmac_sha1_32")))
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(policy);
	else if (!strcmp(suite, "aes_cm_128_hmac_sha1_32"))
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(policy);
	else if (!strcmp(suite, "aes_256_cm_hmac_sha1_80") || (is_rtcp && !strcmp(suite, "aes_256_cm_hmac_sha1_32")))
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(policy);
	else if (!strcmp(suite, "aes_256_cm_hmac_sha1_32"))
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(policy);
	else if (!strcmp(suite, "aead_aes_128_gcm"))
		srtp_crypto_policy_set_aes_gcm_128_16_auth(policy);
	else if (!strcmp(suite, "aead_aes_256_gcm"))
		srtp_crypto_policy_set_aes_gcm_256_16_auth(policy);
	else
		die("no such suite");
}

static void make(srtp_t *session, const char *suite, srtp_ssrc_type_t direction, unsigned number)
{
	uint8_t key[64];
	srtp_policy_t policy;
	memset(&policy, 0, sizeof policy);
	choose(&policy.rtp, suite, 0);
	choose(&policy.rtcp, suite, 1);
	for (unsigned i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(number * 7 + i * 13);
	policy.ssrc.type = direction;
	policy.key = key;
	policy.window_size = 128;
	must(srtp_create(session, &policy));
}

static void fill(void)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t *b = packets[i].bytes;
		memset(b, (int)(0xd5 ^ i), PLAIN);
		memset(b, 0, HEADER);
		b[0] = 0x80;
		b[2] = (uint8_t)(sequence >> 8);
		b[3] = (uint8_t)sequence;
		memcpy(b + 8, &i, 4);
		packets[i].length = PLAIN;
	}
	sequence++;
}

static void protect(void)
{
	for (unsigned i = 0; i < count; i++)
		must(srtp_protect(senders[i], packets[i].bytes, &packets[i].length));
}

static void unprotect(void)
{
	for (unsigned i = 0; i < count; i++)
		must(srtp_unprotect(receivers[i], packets[i].bytes, &packets[i].length));
}

int main(int argc, char **argv)
{
	char line[64];
	if (argc != 4)
		die("SUITE protect|unprotect STREAMS");
	int is_protect = strcmp(argv[2], "protect") == 0;
	count = (unsigned)atoi(argv[3]);
	must(srtp_init());
	senders = calloc(count, sizeof *senders);
	receivers = calloc(count, sizeof *receivers);
	packets = aligned_alloc(64, count * sizeof *packets);
	if (!senders || !receivers || !packets)
		die("no memory, or no streams");
	for (unsigned i = 0; i < count; i++) {
		make(&senders[i], argv[1], ssrc_any_outbound, i);
		make(&receivers[i], argv[1], ssrc_any_inbound, i);
	}
	while (fgets(line, sizeof line, stdin)) {
		for (int passes = atoi(line); passes > 0; passes--) {
			fill();
			if (!is_protect)
				protect();
			uint64_t began = now();
			if (is_protect)
				protect();
			else
				unprotect();
			printf("%.3f\n", (double)(now() - began) / count);
		}
		fflush(stdout);
	}
	return 0;
}
