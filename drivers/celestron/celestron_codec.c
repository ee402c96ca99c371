/* SPDX-License-Identifier: MIT */
#include "celestron_codec.h"

#include <string.h>

#define PREAMBLE 0x3B

/* Bounds of limits that can be believed, in counts; a turn of the knob is 1000. */
#define LIMITS_MIN_RANGE 2000
#define LIMITS_MAX_HIGH 60000
#define LIMITS_MAX_LOW 50000

static uint8_t byte_at(const char *in, size_t i)
{
	return (uint8_t)in[i];
}

/* The sum from the length byte to the last one before the checksum. */
static uint8_t checksum(const char *packet, size_t length)
{
	unsigned sum = 0;
	for (size_t i = 1; i <= length + 1; i++) {
		sum += byte_at(packet, i);
	}
	return (uint8_t)(0x100u - (sum & 0xFFu));
}

size_t celestron_encode(char out[CELESTRON_MAX_PACKET], const struct celestron_packet *packet)
{
	if (packet->count < 0 || packet->count > CELESTRON_MAX_DATA) {
		return 0;
	}
	size_t length = CELESTRON_MIN_LENGTH + (size_t)packet->count;
	out[0] = PREAMBLE;
	out[1] = (char)length;
	out[2] = (char)packet->src;
	out[3] = (char)packet->dst;
	out[4] = (char)packet->command;
	memcpy(out + 5, packet->data, (size_t)packet->count);
	out[length + 2] = (char)checksum(out, length);
	return length + 3;
}

enum scan celestron_scan(const char *in, size_t n, struct span *frame, size_t *skip)
{
	size_t stray = 0;
	while (stray < n && byte_at(in, stray) != PREAMBLE) {
		stray++;
	}
	if (stray > 0) {
		*skip = stray;
		return SCAN_GARBAGE;
	}
	if (n < 2) {
		return SCAN_MORE;
	}
	size_t length = byte_at(in, 1);
	if (length < CELESTRON_MIN_LENGTH || length > CELESTRON_MAX_LENGTH) {
		*skip = 1;
		return SCAN_GARBAGE;
	}
	if (n < length + 3) {
		return SCAN_MORE;
	}
	if (byte_at(in, length + 2) != checksum(in, length)) {
		*skip = 1;
		return SCAN_GARBAGE;
	}
	*frame = (struct span){.data = in, .len = length + 3};
	*skip = length + 3;
	return SCAN_FRAME;
}

enum err_code celestron_decode(struct span frame, struct celestron_packet *out)
{
	struct span whole;
	size_t skip;
	if (celestron_scan(frame.data, frame.len, &whole, &skip) != SCAN_FRAME ||
		whole.len != frame.len) {
		return ERR_PROTOCOL;
	}
	*out = (struct celestron_packet){
		.src = byte_at(frame.data, 2),
		.dst = byte_at(frame.data, 3),
		.command = byte_at(frame.data, 4),
		.count = (int)frame.len - 6,
	};
	memcpy(out->data, frame.data + 5, (size_t)out->count);
	return ERR_OK;
}

bool celestron_answers(const struct celestron_packet *request, const struct celestron_packet *reply)
{
	return reply->src == request->dst && reply->dst == request->src &&
	       (reply->command == request->command || reply->command == CELESTRON_NOT_UNDERSTOOD);
}

/* ---- through a hand controller ---- */

size_t celestron_hc_encode(
	char out[CELESTRON_HC_REQUEST], const struct celestron_packet *packet, int wanted)
{
	if (packet->count < 0 || packet->count > CELESTRON_HC_MAX_DATA ||
		celestron_hc_scan(wanted) == NULL) {
		return 0;
	}
	memset(out, 0, CELESTRON_HC_REQUEST);
	out[0] = 'P';
	out[1] = (char)(packet->count + 1);
	out[2] = (char)packet->dst;
	out[3] = (char)packet->command;
	memcpy(out + 4, packet->data, (size_t)packet->count);
	out[7] = (char)wanted;
	return CELESTRON_HC_REQUEST;
}

static enum scan scan_hc(
	const char *in, size_t n, size_t wanted, struct span *frame, size_t *skip)
{
	size_t len = wanted + 1;
	if (n >= len && in[len - 1] != '#') {
		/* The controller's word for a focuser that does not answer has one byte more. */
		len++;
	}
	if (n < len) {
		return SCAN_MORE;
	}
	if (in[len - 1] != '#') {
		*skip = n;
		return SCAN_GARBAGE;
	}
	*frame = (struct span){.data = in, .len = len};
	*skip = len;
	return SCAN_FRAME;
}

#define SCAN_HC(wanted) \
	static enum scan scan_hc_##wanted( \
		const char *in, size_t n, struct span *frame, size_t *skip) \
	{ \
		return scan_hc(in, n, wanted, frame, skip); \
	}

SCAN_HC(0)
SCAN_HC(1)
SCAN_HC(2)
SCAN_HC(3)
SCAN_HC(4)
SCAN_HC(8)

scan_fn celestron_hc_scan(int wanted)
{
	switch (wanted) {
	case 0:
		return scan_hc_0;
	case 1:
		return scan_hc_1;
	case 2:
		return scan_hc_2;
	case 3:
		return scan_hc_3;
	case 4:
		return scan_hc_4;
	case 8:
		return scan_hc_8;
	default:
		return NULL;
	}
}

enum err_code celestron_hc_decode(struct span frame, const struct celestron_packet *request,
	int wanted, struct celestron_packet *out)
{
	scan_fn scan = celestron_hc_scan(wanted);
	struct span whole;
	size_t skip;
	if (scan == NULL || scan(frame.data, frame.len, &whole, &skip) != SCAN_FRAME ||
		whole.len != frame.len) {
		return ERR_PROTOCOL;
	}
	if (frame.len != (size_t)wanted + 1) {
		return ERR_TIMEOUT;
	}
	*out = (struct celestron_packet){
		.src = request->dst,
		.dst = request->src,
		.command = request->command,
		.count = wanted,
	};
	memcpy(out->data, frame.data, (size_t)wanted);
	return ERR_OK;
}

enum scan celestron_hc_scan_echo(const char *in, size_t n, struct span *frame, size_t *skip)
{
	if (n < 2) {
		return SCAN_MORE;
	}
	if (in[1] != '#') {
		*skip = 1;
		return SCAN_GARBAGE;
	}
	*frame = (struct span){.data = in, .len = 2};
	*skip = 2;
	return SCAN_FRAME;
}

/* ---- what the data mean ---- */

void celestron_put_position(uint8_t out[3], int32_t position)
{
	uint32_t bits = (uint32_t)position;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
}

enum err_code celestron_position(const struct celestron_packet *reply, int32_t *position)
{
	if (reply->count != 3) {
		return ERR_PROTOCOL;
	}
	int32_t value = reply->data[0] << 16 | reply->data[1] << 8 | reply->data[2];
	*position = value >= 0x800000 ? value - 0x1000000 : value;
	return ERR_OK;
}

enum err_code celestron_ack(const struct celestron_packet *reply)
{
	if (reply->count == 0 || (reply->count == 1 && reply->data[0] == 1)) {
		return ERR_OK;
	}
	return reply->count == 1 && reply->data[0] == 0 ? ERR_REFUSED : ERR_PROTOCOL;
}

enum err_code celestron_slew_done(const struct celestron_packet *reply, bool *moving)
{
	if (reply->count != 1 ||
		(reply->data[0] != 0xFF && reply->data[0] != 0xFE && reply->data[0] != 0x00)) {
		return ERR_PROTOCOL;
	}
	*moving = reply->data[0] == 0x00;
	return ERR_OK;
}

enum err_code celestron_calibration_state(
	const struct celestron_packet *reply, struct celestron_calibration *out)
{
	if (reply->count != 2) {
		return ERR_PROTOCOL;
	}
	out->complete = reply->data[0] != 0;
	out->step = reply->data[1];
	return ERR_OK;
}

static int32_t four_bytes(const uint8_t *data)
{
	uint32_t value = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 |
			 (uint32_t)data[2] << 8 | data[3];
	return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

enum err_code celestron_limits(const struct celestron_packet *reply, struct celestron_limits *out)
{
	if (reply->count != 8) {
		return ERR_PROTOCOL;
	}
	out->low = four_bytes(reply->data);
	out->high = four_bytes(reply->data + 4);
	return ERR_OK;
}

bool celestron_limits_valid(const struct celestron_limits *limits)
{
	return limits->low >= 0 && limits->low < LIMITS_MAX_LOW &&
	       limits->high <= LIMITS_MAX_HIGH && limits->high > limits->low &&
	       limits->high - limits->low > LIMITS_MIN_RANGE;
}

enum err_code celestron_version(const struct celestron_packet *reply, struct celestron_version *out)
{
	if (reply->count != 4 && reply->count != 2) {
		return ERR_PROTOCOL;
	}
	out->major = reply->data[0];
	out->minor = reply->data[1];
	out->build = reply->count == 4 ? reply->data[2] << 8 | reply->data[3] : -1;
	return ERR_OK;
}
