/* SPDX-License-Identifier: MIT */
/* The measure subcommand alone, for tests that must not need the rest of the program. */
#include "cmd.h"

int main(int argc, char **argv)
{
	return cmd_measure(argc, argv);
}
