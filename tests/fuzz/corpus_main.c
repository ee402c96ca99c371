/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files and folders of files, and over each file cut short at every byte.  With
 * no sanitizer the target's own checks still stand.  Fails when there was nothing to run.
 */
#include <dirent.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 20, PREFIXES_MAX = 4096 };

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		return -1;
	}
	uint8_t *data = malloc(INPUT_MAX);
	if (data == NULL) {
		fclose(file);
		return -1;
	}
	size_t size = fread(data, 1, INPUT_MAX, file);
	fclose(file);
	for (size_t cut = size > PREFIXES_MAX ? size : 0; cut <= size; cut++) {
		/* Exactly as long as it is, so that reading past its end is seen. */
		uint8_t *input = malloc(cut > 0 ? cut : 1);
		if (input == NULL) {
			abort();
		}
		memcpy(input, data, cut);
		LLVMFuzzerTestOneInput(input, cut);
		free(input);
	}
	free(data);
	return 1;
}

static int run(const char *path)
{
	DIR *folder = opendir(path);
	if (folder == NULL) {
		return run_file(path);
	}
	int count = 0;
	for (const struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
		char inside[4096];
		if (entry->d_name[0] == '.') {
			continue;
		}
		snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
		int n = run_file(inside);
		count = n < 0 ? -1 : count + n;
	}
	closedir(folder);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;
	for (int i = 1; i < argc; i++) {
		int n = run(argv[i]);
		if (n < 0) {
			return 1;
		}
		count += n;
	}
	printf("%d inputs\n", count);
	return count == 0;
}
