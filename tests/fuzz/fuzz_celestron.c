/* SPDX-License-Identifier: MIT */
/* Bytes from the AUX bus and from a hand controller: the scanners to the end of the input, the decoders on
 * every frame and on any bytes. */
#include <string.h>

#include "celestron_codec.h"
#include "fuzz.h"

static void decode_data(const struct celestron_packet *packet)
{
	int32_t position = 0;
	bool moving;
	struct celestron_calibration calibration;
	struct celestron_limits limits;
	struct celestron_version version;
	FUZZ_CHECK(packet->count >= 0 && packet->count <= CELESTRON_MAX_DATA);
	if (celestron_position(packet, &position) == ERR_OK) {
		FUZZ_CHECK(position >= -0x800000 && position < 0x800000);
	}
	(void)celestron_ack(packet);
	(void)celestron_slew_done(packet, &moving);
	(void)celestron_calibration_state(packet, &calibration);
	if (celestron_limits(packet, &limits) == ERR_OK && celestron_limits_valid(&limits)) {
		FUZZ_CHECK(limits.low >= 0 && limits.high > limits.low && limits.high <= 60000);
	}
	(void)celestron_version(packet, &version);
}

static void decode(struct span frame)
{
	struct celestron_packet packet;
	if (celestron_decode(frame, &packet) != ERR_OK) {
		return;
	}
	/* A packet is written as it was read. */
	char again[CELESTRON_MAX_PACKET];
	FUZZ_CHECK(celestron_encode(again, &packet) == frame.len);
	FUZZ_CHECK(memcmp(again, frame.data, frame.len) == 0);
	decode_data(&packet);
}

static void scan_all(scan_fn scan, const char *in, size_t n, int wanted)
{
	const struct celestron_packet request = {.src = CELESTRON_APP, .dst = CELESTRON_FOCUSER};
	while (n > 0) {
		struct span frame = {.data = NULL, .len = 0};
		size_t skip = 0;
		enum scan what = scan(in, n, &frame, &skip);
		if (what == SCAN_MORE) {
			return;
		}
		FUZZ_CHECK(skip > 0 && skip <= n);
		if (what == SCAN_FRAME) {
			FUZZ_CHECK(frame.len == skip && frame.data == in);
			if (wanted < 0) {
				struct celestron_packet packet;
				FUZZ_CHECK(celestron_decode(frame, &packet) == ERR_OK);
				decode(frame);
			} else {
				struct celestron_packet packet;
				if (celestron_hc_decode(frame, &request, wanted, &packet) == ERR_OK) {
					FUZZ_CHECK(celestron_answers(&request, &packet));
					decode_data(&packet);
				}
			}
		}
		in += skip;
		n -= skip;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;
	scan_all(celestron_scan, in, size, -1);
	for (int wanted = 0; wanted <= CELESTRON_HC_MAX_REPLY; wanted++) {
		scan_fn scan = celestron_hc_scan(wanted);
		if (scan != NULL) {
			scan_all(scan, in, size, wanted);
		}
	}
	decode((struct span){.data = in, .len = size});
	return 0;
}
