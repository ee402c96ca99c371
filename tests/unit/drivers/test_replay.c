/* SPDX-License-Identifier: MIT */
/*
 * Plays the transcripts in the folders or files of the arguments to their drivers.  Those in
 * transcripts/ say at their top whether they were recorded or written from the protocol document.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay_pipe.h"

static int failures;
static int played;

static void play(const char *path)
{
	char why[400];
	int calls = 0;
	bool good = replay_file(path, &calls, why, sizeof why);
	if (good && calls == 0) {
		snprintf(why, sizeof why, "%s: there is no call in it", path);
		good = false;
	}
	printf("%s %s, %d calls\n", good ? "ok    " : "FAILED", path, calls);
	if (!good) {
		printf("       %s\n", why);
		failures++;
	}
	played++;
}

static int only_text(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct dirent **names = NULL;
		int n = scandir(argv[i], &names, only_text, alphasort);
		if (n < 0) {
			play(argv[i]);
			continue;
		}
		for (int k = 0; k < n; k++) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
			play(path);
			free(names[k]);
		}
		free(names);
	}
	printf("%d transcripts, %d failed\n", played, failures);
	return failures > 0 || played == 0;
}
