/* SPDX-License-Identifier: MIT */
/* Picks the subcommand and calls it; the subcommands are in cmd_*.c. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"serve", cmd_serve},
	{"measure", cmd_measure},
	{"fit", cmd_fit},
	{"ports", cmd_ports},
	{"emulate", cmd_emulate},
	{"af", cmd_af},
};

int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] != '-') {
		for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
			if (strcmp(argv[1], commands[i].name) == 0) {
				return commands[i].run(argc - 1, argv + 1);
			}
		}
		fprintf(stderr, "focusd: there is no subcommand '%s'; see focusd --help\n", argv[1]);
		return 2;
	}
	return cmd_serve(argc, argv);
}
