/* SPDX-License-Identifier: MIT */
#include "serve_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "camera_modes.h"
#include "http.h"
#include "text.h"

#define SYSTEM_CONFIG "/etc/focusd/focusd.conf"

/* $XDG_CONFIG_HOME/focusd/focusd.conf, or "" when there is no home. */
static void user_config(char *out, size_t cap)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	out[0] = '\0';
	if (base != NULL && base[0] == '/') {
		snprintf(out, cap, "%s/focusd/focusd.conf", base);
	} else if (home != NULL && home[0] == '/') {
		snprintf(out, cap, "%s/.config/focusd/focusd.conf", home);
	}
}

/* Reads and checks the configuration; complaints go to standard error. */
static bool load(const struct serve_options *options, const struct config_drivers *drivers, struct config *config)
{
	char user[1024];
	user_config(user, sizeof user);
	const char *path = options->config;
	if (path == NULL && access(SYSTEM_CONFIG, F_OK) == 0) {
		path = SYSTEM_CONFIG;
	} else if (path == NULL && user[0] != '\0' && access(user, F_OK) == 0) {
		path = user;
	}
	config_defaults(config);
	if (path == NULL && !options->simulate) {
		fprintf(stderr,
			"focusd: there is no configuration: neither %s%s%s exists.\n"
			"Write one (the manual page focusd.conf(5) explains it), name one with "
			"--config FILE,\n"
			"or try the simulated observatory: focusd --simulate\n",
			SYSTEM_CONFIG, user[0] == '\0' ? "" : " nor ", user);
		return false;
	}
	struct buf errors;
	buf_init(&errors, 1 << 20);
	enum err_code rc = path == NULL ? ERR_OK : config_read(config, path, &errors);
	if (options->simulate) {
		config_simulate(config);
	}
	/* A file with wrong lines is checked as far as it could be read, so that everything is told at once. */
	if (rc != ERR_IO) {
		enum err_code found = config_check(config, drivers, &errors);
		rc = rc == ERR_OK ? found : rc;
	}
	size_t warnings_at = errors.len;
	if (options->check) {
		config_warn(config, drivers, &errors);
	}
	fputs(buf_text(&errors), stderr);
	if (rc == ERR_OK && options->check) {
		printf("%s: no errors%s\n", path == NULL ? "configuration" : path,
			errors.len > warnings_at ? ", but see the warnings" : "");
		buf_clear(&errors);
		camera_modes_describe(config, drivers, &errors);
		fputs(buf_text(&errors), stdout);
	}
	buf_fini(&errors);
	return rc == ERR_OK;
}

/* Puts what the command line says above what the files say. */
static bool apply_options(const struct serve_options *options, struct config *config)
{
	struct err err;
	if (options->bind != NULL && !config_set_bind(config, options->bind)) {
		fprintf(stderr, "focusd: the text of --bind is too long\n");
		return false;
	}
	if (options->bind != NULL && http_bind_read(config->server.bind, &err) != ERR_OK) {
		fprintf(stderr, "focusd: --bind: %s\n", err.text);
		return false;
	}
	static const char here[] = "the command line";
	if (options->bind != NULL) {
		config_override(config, "server", "bind", here);
	}
	if (options->port >= 0) {
		config->server.port = options->port;
		config_override(config, "server", "port", here);
	}
	if (options->discovery_port >= 0) {
		config->server.discovery_port = options->discovery_port;
		config_override(config, "server", "discovery_port", here);
	}
	if (options->has_log_level) {
		config->server.log_level = options->log_level;
		config_override(config, "server", "log_level", here);
	}
	if (!isnan(options->time_factor)) {
		config->time_factor = options->time_factor;
		config_override(config, "simulator", "time_factor", here);
	}
	return true;
}

bool serve_config_load(const struct serve_options *options, const struct config_drivers *drivers, struct config *config)
{
	return load(options, drivers, config) && apply_options(options, config);
}
