/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of the program.  Each takes its own argv (argv[0] is the subcommand's name) and
 * returns the exit code: 0 done, 1 it failed, 2 usage or configuration error; cmd_af() has codes of its own.
 */
#ifndef FOCUSD_CMD_H
#define FOCUSD_CMD_H

int cmd_serve(int argc, char **argv);
int cmd_measure(int argc, char **argv);
int cmd_fit(int argc, char **argv);
int cmd_ports(int argc, char **argv);
int cmd_emulate(int argc, char **argv);
int cmd_af(int argc, char **argv);

#endif
