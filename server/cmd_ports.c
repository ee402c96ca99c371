/* SPDX-License-Identifier: MIT */
/* `focusd ports`: tells which serial ports there are, what is behind them, which cameras and focusers the INDI server
 * on this machine has, and what to write into the configuration. It opens no port without --probe, and with it only
 * those of known focusers. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_ports_indi.h"
#include "json.h"
#include "log.h"
#include "ports.h"
#include "text.h"

static const struct option options[] = {
	{"probe", no_argument, NULL, 'p'},
	{"json", no_argument, NULL, 'j'},
	{"indi", required_argument, NULL, 'i'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help[] =
	"Usage: focusd ports [--probe] [--json] [--indi HOST:PORT]\n"
	"Lists the serial ports: the name that stays, USB identity, what may be behind\n"
	"it, who holds it, and the lines to put into the configuration; then the cameras\n"
	"and focusers of the INDI server on this machine, when there is one.\n"
	"\n"
	"  --probe               ask the free ports whose USB identity belongs to one\n"
	"                        maker's focusers what they are; nothing is ever sent to\n"
	"                        a bridge (FTDI, CH340, Arduino, ...), to a port that\n"
	"                        somebody holds, or to another device\n"
	"  --json                one JSON object\n"
	"  --indi HOST:PORT      ask this INDI server in the place of " PORTS_INDI_HERE "\n"
	"  -h, --help            this text\n";

static const char nothing_here[] =
	"No USB serial port is attached.\n"
	"Is the focuser plugged in, and has it power? 'sudo dmesg | tail' shows what the\n"
	"kernel saw. When a port appears there and is gone at once, brltty took it: remove\n"
	"that package, or install the rules in packaging/udev.\n";

/* What came of asking one port. */
struct answer {
	bool asked;
	enum err_code code;
	struct err err;
	struct focuser_caps caps;
};

static void ask(const struct ports *list, struct answer *answers)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct port_info *port = &list->port[i];
		if (port->kind == PORT_FOCUSER && port->exists && port->holder.pid == 0) {
			answers[i].asked = true;
			answers[i].code = ports_ask(port, &answers[i].caps, &answers[i].err);
		}
	}
}

static void print_json_port(struct json_writer *w, const struct port_info *port,
	const struct answer *answer)
{
	char id[8];
	const bool usb = port->vid != 0;
	json_object(w);
	json_key_string(w, "port", port->stable);
	json_key_string(w, "node", port->node);
	json_key_string(w, "by_id", port->by_id[0] != '\0' ? port->by_id : NULL);
	json_key_string(w, "by_path", port->by_path[0] != '\0' ? port->by_path : NULL);
	snprintf(id, sizeof id, "%04x", port->vid);
	json_key_string(w, "vid", usb ? id : NULL);
	snprintf(id, sizeof id, "%04x", port->pid);
	json_key_string(w, "pid", usb ? id : NULL);
	json_key_string(w, "manufacturer", port->manufacturer[0] != '\0' ? port->manufacturer : NULL);
	json_key_string(w, "product", port->product[0] != '\0' ? port->product : NULL);
	json_key_string(w, "serial", port->serial[0] != '\0' ? port->serial : NULL);
	json_key_bool(w, "unique", port->is_unique);
	json_key_string(w, "path", port->path[0] != '\0' ? port->path : NULL);
	json_key_string(w, "kernel_driver", port->kernel_driver[0] != '\0' ? port->kernel_driver : NULL);
	json_key_string(w, "kind", port_kind_name(port->kind));
	json_key_string(w, "what", port->what);
	json_key_string(w, "driver", port->driver != NULL ? port->driver->name : NULL);
	json_key_bool(w, "accessible", port->accessible);
	json_key(w, "held_by");
	if (port->holder.pid != 0) {
		json_object(w);
		json_key_int(w, "pid", port->holder.pid);
		json_key_string(w, "program", port->holder.program[0] != '\0' ? port->holder.program : NULL);
		json_end_object(w);
	} else {
		json_null(w);
	}
	json_key(w, "answer");
	if (answer->asked) {
		json_object(w);
		json_key_string(w, "identity", answer->code == ERR_OK ? answer->caps.identity : NULL);
		json_key_string(w, "error", answer->code == ERR_OK ? NULL : answer->err.text);
		json_end_object(w);
	} else {
		json_null(w);
	}
	json_end_object(w);
}

static bool print_json(const struct ports *list, const struct answer *answers, bool probed,
	const struct ports_indi *indi)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, 1 << 20);
	json_begin(&w, &text);
	json_object(&w);
	json_key_bool(&w, "probed", probed);
	json_key(&w, "ports");
	json_array(&w);
	for (size_t i = 0; i < list->count; i++) {
		print_json_port(&w, &list->port[i], &answers[i]);
	}
	json_end_array(&w);
	ports_indi_json(indi, &w);
	json_end_object(&w);
	bool ok = !text.failed && puts(buf_text(&text)) >= 0;
	buf_fini(&text);
	return ok;
}

/* Prints words one after another and breaks the line before column 80 where a blank allows it. */
static void print_wrapped(const char *text)
{
	const size_t width = 76;
	while (*text != '\0') {
		size_t take = strlen(text);
		if (take > width) {
			take = width;
			while (take > 0 && text[take] != ' ') {
				take--;
			}
			take = take == 0 ? strcspn(text, " ") : take;
		}
		printf("    %.*s\n", (int)take, text);
		text += take;
		text += strspn(text, " ");
	}
}

static void say_state(const struct port_info *port, const struct answer *answer, bool probed)
{
	char line[600];
	if (!port->exists) {
		print_wrapped("its node is missing: a container without access to it?");
	} else if (port->holder.pid != 0) {
		snprintf(line, sizeof line, "held by %s (pid %d)%s",
			port->holder.program[0] != '\0' ? port->holder.program : "a program",
			port->holder.pid, ports_holder_advice(port->holder.program));
		print_wrapped(line);
	} else if (!port->accessible) {
		print_wrapped("this user may not open it: 'sudo usermod -aG dialout $USER', then log in anew");
	}
	if (answer->asked && answer->code == ERR_OK) {
		snprintf(line, sizeof line, "asked: %s", answer->caps.identity);
		print_wrapped(line);
	} else if (answer->asked) {
		snprintf(line, sizeof line, "asked, and failed: %s", answer->err.text);
		print_wrapped(line);
	} else if (port->kind == PORT_FOCUSER && !probed && port->holder.pid == 0) {
		print_wrapped("--probe asks it");
	}
	if (port->vid != 0 && port->kind != PORT_OTHER && !port->is_unique) {
		print_wrapped(port->by_path[0] != '\0'
			? "no serial number of its own: named by the socket it is plugged into"
			: "no serial number of its own: it cannot be told from another one like it");
	}
}

/* Prints what to write into the configuration; a port that is the only one of its kind needs no name. */
static void print_config(const struct ports *list, const struct port_info *port)
{
	struct buf lines;
	buf_init(&lines, 1024);
	size_t alike = 0;
	for (size_t i = 0; i < list->count; i++) {
		alike += list->port[i].kind == PORT_FOCUSER && list->port[i].driver == port->driver;
	}
	if (port->kind == PORT_FOCUSER && alike == 1) {
		buf_printf(&lines, "[focuser.0]\ndriver = %s\nport = auto\n", port->driver->name);
	} else {
		ports_config_lines(port, &lines);
	}
	const char *at = buf_text(&lines);
	while (*at != '\0') {
		size_t len = strcspn(at, "\n");
		printf("        %.*s\n", (int)len, at);
		at += len + (at[len] == '\n');
	}
	buf_fini(&lines);
}

static void print_text(const struct ports *list, const struct answer *answers, bool probed)
{
	size_t usb = 0;
	for (size_t i = 0; i < list->count; i++) {
		usb += list->port[i].vid != 0;
	}
	if (usb == 0) {
		fputs(nothing_here, stdout);
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct port_info *port = &list->port[i];
		char line[400];
		char what[200];
		ports_describe(port, what, sizeof what);
		printf("%s%s\n", i > 0 || usb == 0 ? "\n" : "", port->stable);
		if (port->vid != 0) {
			snprintf(line, sizeof line, "%s: %s%s%s, %s", port->name, port->manufacturer,
				port->manufacturer[0] != '\0' ? " " : "", what, port->what);
		} else {
			snprintf(line, sizeof line, "%s: %s", port->name, port->what);
		}
		print_wrapped(line);
		say_state(port, &answers[i], probed);
		if (port->kind == PORT_FOCUSER) {
			print_wrapped("a focuser; in the configuration:");
			print_config(list, port);
		} else if (port->kind == PORT_OTHER) {
			print_wrapped("no focuser that focusd drives: left alone");
		} else {
			print_wrapped("never asked, since anything may be behind it; if it is the focuser:");
			print_config(list, port);
		}
	}
}

int cmd_ports(int argc, char **argv)
{
	bool probe = false;
	bool as_json = false;
	const char *indi_address = NULL;
	int id;
	optind = 0;
	while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (id) {
		case 'p':
			probe = true;
			break;
		case 'j':
			as_json = true;
			break;
		case 'i':
			indi_address = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return fflush(stdout) == 0 ? 0 : 1;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "focusd ports: '%s' is not understood; see --help\n", argv[optind]);
		return 2;
	}
	struct ports *list = ports_list(ports_system());
	struct answer *answers = calloc(PORTS_MAX, sizeof *answers);
	struct ports_indi *indi = calloc(1, sizeof *indi);
	bool ok = list != NULL && answers != NULL && indi != NULL;
	if (!ok) {
		fprintf(stderr, "focusd ports: out of memory\n");
	} else {
		if (probe) {
			/* What drivers would tell the log of a server does not belong to the list. */
			log_set_level(LOG_WARN);
			ask(list, answers);
		}
		ports_indi_ask(indi, indi_address);
		if (as_json) {
			ok = print_json(list, answers, probe, indi);
		} else {
			print_text(list, answers, probe);
			ports_indi_print(indi);
		}
		ok = fflush(stdout) == 0 && ok;
	}
	free(indi);
	free(answers);
	free(list);
	return ok ? 0 : 1;
}
