#include "cmd.h"
int cmd_emulate(int argc, char **argv){(void)argc;(void)argv;return 1;}
