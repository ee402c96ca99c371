/* SPDX-License-Identifier: MIT */
#include "exec_check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec_words.h"
#include "plain_file.h"

enum err_code exec_look(const struct camera_port *port, struct err *err)
{
	static const struct exec_values sample = {
		.exposure_s = 1.0, .gain = 1, .light = true, .out = "/tmp/x"};
	char frame[256];
	struct exec_words words;
	enum err_code code = exec_words(port->command, &sample, &words, err);
	if (code == ERR_OK) {
		code = exec_fill(port->frame, &sample, frame, sizeof frame, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	if (words.argv[0][0] != '/') {
		return err_set(err, ERR_INVALID_VALUE, "command must begin with the whole path of a program, such as "
			"/usr/bin/%.60s: no shell looks for it", words.argv[0]);
	}
	if (!exec_has_place(port->frame[0] != '\0' ? port->frame : "{out}", "out")) {
		return err_set(err, ERR_INVALID_VALUE, "frame must contain {out}, as in {out}.dng: every frame has a "
			"name of its own");
	}
	if (!exec_has_place(port->command, "out")) {
		return err_set(err, ERR_INVALID_VALUE, "command must contain {out}: where the frame is to be written");
	}
	if (access(words.argv[0], X_OK) != 0) {
		return err_set(err, ERR_IO, "there is no program %.150s, or it may not be run; is it installed?",
			words.argv[0]);
	}
	return ERR_OK;
}

/* The service may open serial ports only, so that a program which reaches its camera over USB or the kernel's video
 * devices finds none; and a script of a user may lie where no other user may go. */
void exec_service_needs(const struct camera_port *port, char *out, size_t cap)
{
	static const struct {
		const char *program, *needs;
	} known[] = {
		{"gphoto2", "usb-camera.conf"},
		{"rpicam-", "rpicam-camera.conf"},
		{"libcamera-", "rpicam-camera.conf"},
		{"", "usb-camera.conf for a camera on USB, rpicam-camera.conf for a Raspberry Pi's own"},
	};
	static const struct exec_values sample = {.out = "/tmp/x"};
	struct exec_words words;
	char why[200];
	out[0] = '\0';
	if (exec_words(port->command, &sample, &words, NULL) != ERR_OK) {
		return;
	}
	const char *slash = strrchr(words.argv[0], '/');
	const char *program = slash != NULL ? slash + 1 : words.argv[0];
	size_t i = 0;
	while (strncmp(program, known[i].program, strlen(known[i].program)) != 0) {
		i++;
	}
	bool open = plain_path_is_open(words.argv[0], why, sizeof why);
	snprintf(out, cap, "%s%s%s%s", known[i].needs, open ? "" : ", and the program elsewhere (", why,
		open ? "" : ")");
}
