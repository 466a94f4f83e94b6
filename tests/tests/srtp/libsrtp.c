/*
 * libsrtp2 behind two pipes: the peer of the test beside this file.
 *
 * Each request is a letter, a length of two octets (most significant first) and so many octets; each answer a status octet (that
 * of libsrtp, 0 is well), a length and so many octets.
 *
 *   K  suite number, window (two octets), key and salt: begin anew with a sender and a receiver
 *   P  an RTP packet to protect            U  an SRTP packet to unprotect
 *   p  an RTCP packet to protect           u  an SRTCP packet to unprotect
 */
#include <srtp2/srtp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static srtp_t sender, receiver;

static void choose(srtp_crypto_policy_t *policy, int suite, int is_rtcp)
{
	switch (suite) {
	case 1:
		if (!is_rtcp) {
			srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(policy);
			break;
		}
		/* Fall through: RFC 4568 section 6.2.2. */
	case 0:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(policy);
		break;
	case 3:
		if (!is_rtcp) {
			srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(policy);
			break;
		}
		/* Fall through: RFC 6188 section 4. */
	case 2:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(policy);
		break;
	case 4:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(policy);
		break;
	default:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(policy);
		break;
	}
}

static srtp_err_status_t begin(uint8_t *request, int length)
{
	srtp_policy_t policy;
	srtp_err_status_t status;
	if (length < 4)
		return srtp_err_status_bad_param;
	if (sender) {
		srtp_dealloc(sender);
		srtp_dealloc(receiver);
	}
	memset(&policy, 0, sizeof policy);
	choose(&policy.rtp, request[0], 0);
	choose(&policy.rtcp, request[0], 1);
	policy.window_size = (unsigned long)(request[1] << 8 | request[2]);
	policy.key = request + 3;
	policy.ssrc.type = ssrc_any_outbound;
	status = srtp_create(&sender, &policy);
	if (status != srtp_err_status_ok)
		return status;
	policy.ssrc.type = ssrc_any_inbound;
	return srtp_create(&receiver, &policy);
}

int main(void)
{
	static uint8_t buffer[70000];
	if (srtp_init() != srtp_err_status_ok)
		return 1;
	for (;;) {
		uint8_t head[3];
		if (fread(head, 1, 3, stdin) != 3)
			return 0;
		int length = head[1] << 8 | head[2];
		if (fread(buffer, 1, (size_t)length, stdin) != (size_t)length)
			return 1;
		srtp_err_status_t status;
		switch (head[0]) {
		case 'K':
			status = begin(buffer, length);
			length = 0;
			break;
		case 'P':
			status = srtp_protect(sender, buffer, &length);
			break;
		case 'U':
			status = srtp_unprotect(receiver, buffer, &length);
			break;
		case 'p':
			status = srtp_protect_rtcp(sender, buffer, &length);
			break;
		case 'u':
			status = srtp_unprotect_rtcp(receiver, buffer, &length);
			break;
		default:
			return 1;
		}
		if (status != srtp_err_status_ok)
			length = 0;
		uint8_t answer[3] = { (uint8_t)status, (uint8_t)(length >> 8), (uint8_t)length };
		fwrite(answer, 1, 3, stdout);
		fwrite(buffer, 1, (size_t)length, stdout);
		fflush(stdout);
	}
}
