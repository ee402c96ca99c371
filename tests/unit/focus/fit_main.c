/* SPDX-License-Identifier: MIT */
/* The fit subcommand alone, for tests that must not need the rest of the program. */
#include "cmd.h"

int main(int argc, char **argv)
{
	return cmd_fit(argc, argv);
}
