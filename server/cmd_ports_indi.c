/* SPDX-License-Identifier: MIT */
#include "cmd_ports_indi.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

/* A server on this machine answers in milliseconds; drivers that have just been started take a second. */
#define WAIT_MS 1500

void ports_indi_ask(struct ports_indi *indi, const char *address)
{
	memset(indi, 0, sizeof *indi);
	indi->address = address != NULL ? address : PORTS_INDI_HERE;
	indi->asked_for = address != NULL;
	indi->code = indi_ask_server(indi->address, WAIT_MS, indi->offer, PORTS_INDI_MAX, &indi->count, &indi->err);
}

/* How many devices of this kind there are: the only one needs no name. */
static size_t how_many(const struct ports_indi *indi, bool camera)
{
	size_t n = 0;
	for (size_t i = 0; i < indi->count; i++) {
		n += camera ? indi->offer[i].is_camera : indi->offer[i].is_focuser;
	}
	return n;
}

static void print_lines(const struct ports_indi *indi, const struct indi_offer *offer, bool camera, size_t number)
{
	printf("        [%s.%zu]\n        driver = indi\n        port = tcp://%s\n", camera ? "camera" : "focuser",
		number, indi->address);
	if (how_many(indi, camera) > 1) {
		printf("        device = %s\n", offer->device);
	}
}

void ports_indi_print(const struct ports_indi *indi)
{
	if (indi->code != ERR_OK) {
		if (indi->asked_for) {
			printf("\nINDI server %s\n    %s\n", indi->address, indi->err.text);
		}
		return;
	}
	printf("\nINDI server %s\n", indi->address);
	if (indi->count == 0) {
		printf("    It has no camera and no focuser.\n");
	}
	size_t numbers[2] = {0, 0};
	for (size_t i = 0; i < indi->count; i++) {
		const struct indi_offer *offer = &indi->offer[i];
		char clean[sizeof offer->device];
		text_copy_clean(clean, sizeof clean, offer->device);
		printf("    %s: %s%s%s%s; in the configuration:\n", clean, offer->is_camera ? "a camera" : "",
			offer->is_camera && offer->is_focuser ? " and " : "", offer->is_focuser ? "a focuser" : "",
			offer->connected ? ", connected" : "");
		if (offer->is_focuser) {
			print_lines(indi, offer, false, numbers[0]++);
		}
		if (offer->is_camera) {
			print_lines(indi, offer, true, numbers[1]++);
		}
	}
}

void ports_indi_json(const struct ports_indi *indi, struct json_writer *w)
{
	json_key(w, "indi");
	if (indi->code != ERR_OK) {
		json_null(w);
		return;
	}
	json_object(w);
	json_key_string(w, "address", indi->address);
	json_key(w, "devices");
	json_array(w);
	for (size_t i = 0; i < indi->count; i++) {
		char clean[sizeof indi->offer[i].device];
		text_copy_clean(clean, sizeof clean, indi->offer[i].device);
		json_object(w);
		json_key_string(w, "device", clean);
		json_key_bool(w, "camera", indi->offer[i].is_camera);
		json_key_bool(w, "focuser", indi->offer[i].is_focuser);
		json_key_bool(w, "connected", indi->offer[i].connected);
		json_end_object(w);
	}
	json_end_array(w);
	json_end_object(w);
}
