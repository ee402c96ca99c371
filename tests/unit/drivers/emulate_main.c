/* SPDX-License-Identifier: MIT */
/* The subcommand alone, as a program for test_emulate_command. */
#include "cmd.h"

int main(int argc, char **argv)
{
	return cmd_emulate(argc, argv);
}
