/* SPDX-License-Identifier: MIT */
/*
 * The configuration: INI files checked against a table of options, errors with file and line.
 * The program never writes these files.  Read once at start on the main thread, constant afterwards.
 */
#ifndef FOCUSD_CONFIG_H
#define FOCUSD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device_settings.h"
#include "err.h"
#include "log.h"
#include "moves.h"
#include "text.h"

#define CONFIG_MAX_DEVICES 8

enum config_temperature_source {
	CONFIG_TEMPERATURE_SELF,
	CONFIG_TEMPERATURE_FOCUSER, /* of another focuser: temperature_focuser */
	CONFIG_TEMPERATURE_ACTION,  /* told by a client */
	CONFIG_TEMPERATURE_NONE,
};

struct config_server {
	char name[64];
	char location[96];
	char bind[64];             /* "" = all addresses, IPv4 and IPv6 */
	int port;                  /* 0 = a free one */
	int discovery_port;        /* 0 = off */
	char allowed_hosts[512];   /* names separated by commas or blanks; "" none */
	enum log_level log_level;
};

struct config_focuser {
	bool present;
	char name[64];             /* "" = the driver's title */
	char driver[32];
	struct focuser_port port;
	char device[96];
	bool connect_at_start;
	int camera;                /* number of the camera it focuses */
	int32_t min_step;
	double step_size_um;       /* NAN unknown; of the focal plane */
	int32_t backlash_steps;
	enum moves_approach approach;
	int settle_ms;
	int open_wait_ms;          /* -1 = the driver's */
	char transcript[256];      /* "no", "yes" or a path: everything that is said on the line */
	bool reverse;
	enum config_temperature_source temperature_source;
	int temperature_focuser;
};

struct config_camera {
	bool present;
	char name[64];
	char driver[32];
	struct camera_port port;
	bool connect_at_start;
	double pixel_size_um;      /* NAN = the device's */
};

struct config_autofocus {
	double exposure_s;
	int points;
	double step;               /* 0 = find out */
	double max_radius_steps;   /* 0 = the focuser's range */
	int binning;               /* 0 = what suits */
	int gain;                  /* -1 = as it is */
	char filter[64];
	double region;             /* 0 < r <= 1 */
	bool save_frames;
	double time_limit_s;
};

/* Where settings were read, so that checks across sections name file and line, too.  file 0: none. */
#define CONFIG_MAX_FILES 32
#define CONFIG_MAX_OPTIONS 80
struct config_place {
	int file; /* index into file[] */
	int line;
};
struct config_places {
	char file[CONFIG_MAX_FILES + 1][256];
	int files; /* highest index in use */
	/* server, focuser, camera, telescope, autofocus, simulator */
	struct config_place section[8][CONFIG_MAX_DEVICES];
	struct config_place option[CONFIG_MAX_OPTIONS][CONFIG_MAX_DEVICES]; /* as config_options */
};

struct config {
	struct config_server server;
	struct config_focuser focuser[CONFIG_MAX_DEVICES];
	struct config_camera camera[CONFIG_MAX_DEVICES];
	struct optics_config telescope[CONFIG_MAX_DEVICES];
	struct config_autofocus autofocus;
	struct simulator_config simulator;
	double time_factor;        /* [simulator] time_factor; the command line overrides it */
	struct config_places places;
};

/* The defaults of every option, no devices. */
void config_defaults(struct config *config);

/* Reads path and then conf.d/ *.conf beside it, over what config holds.  All errors found are
 * appended to errors, one line each, "file:line: sentence"; ERR_INVALID_VALUE when there was any,
 * ERR_IO when path cannot be read. */
enum err_code config_read(struct config *config, const char *path, struct buf *errors);

/* Sets server.bind; "all" and "*" are all addresses.  False when the text is too long. */
bool config_set_bind(struct config *config, const char *address);

/* Checks that span sections: drivers exist, port or path given where needed, partners exist, limits
 * in order.  Errors as config_read(). */
enum err_code config_check(const struct config *config, struct buf *errors);

/* Where option key of section "server" or "focuser.N" was given; file is 0 where it was not. */
struct config_place config_place_of(const struct config *config, const char *section, const char *key,
	int number);

/* Replaces the configured devices by one simulated focuser and camera. */
void config_simulate(struct config *config);

enum config_type {
	CONFIG_TEXT,
	CONFIG_INT,
	CONFIG_DOUBLE,
	CONFIG_BOOL,        /* yes or no; also true, false, on, off */
	CONFIG_CHOICE,      /* one of choices; stored as its index */
	CONFIG_TEMPERATURE, /* temperature_source */
};

/* One row of the options table: parser, `focusd --check` and test of the manual page read it. */
struct config_option {
	const char *section;   /* "server", "focuser.N", ... */
	const char *name;
	enum config_type type;
	const char *unit;      /* "" none */
	double low, high;      /* bounds of numbers, both allowed */
	const char *fallback;  /* default as text for people, "-" none */
	const char *initial;   /* default as it is parsed, "nan" unknown; NULL = fallback */
	const char *help;
	const char *note;      /* said with the bounds, NULL none */
	const char *const *choices; /* NULL-terminated */
	size_t offset;         /* of the field in struct config, for N = 0 */
	size_t size;           /* of the field */
};
extern const struct config_option config_options[];
extern const size_t config_option_count;

#endif
