/* SPDX-License-Identifier: MIT */
/*
 * The configuration: INI files checked against a table of options, errors with file and line.  The program never
 * writes these files.  A struct config is plain values: read at the start on the main thread, and never written
 * again once other threads see it; what changes while the server runs is a new one (settings.h).
 */
#ifndef FOCUSD_CONFIG_H
#define FOCUSD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "camera_caps.h"
#include "device_settings.h"
#include "err.h"
#include "log.h"
#include "text.h"

#define CONFIG_MAX_DEVICES 8

/* Nobody made the choice, so what the device is decides the default. */
#define CONFIG_UNSET (-1)

enum config_temperature_source {
	CONFIG_TEMPERATURE_SELF,
	CONFIG_TEMPERATURE_FOCUSER, /* of another focuser: temperature_focuser */
	CONFIG_TEMPERATURE_ACTION,  /* told by a client */
	CONFIG_TEMPERATURE_NONE,
};

/* The approach: the direction of every last leg, in positions as clients see them. Where it is unset, it is out; a
 * driver may want the motor's own larger numbers (struct focuser_driver.approach_up), and these are in where `reverse`
 * is set. */
enum config_approach {
	CONFIG_APPROACH_UNSET = CONFIG_UNSET,
	CONFIG_APPROACH_IN,  /* to smaller positions */
	CONFIG_APPROACH_OUT, /* to larger ones */
};

struct config_server {
	char name[64];
	char location[96];
	char bind[256];            /* addresses separated by commas or blanks; "" = all, IPv4 and IPv6 */
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
	bool connect_at_start;
	int camera;                /* number of the camera it focuses */
	int32_t min_step;
	double step_size_um;       /* NAN unknown; of the focal plane */
	int32_t backlash_steps;    /* overshoot of moves against the approach; 0 = go direct */
	enum config_approach approach;
	int settle_ms;             /* wait after an arrival, device clock */
	int open_wait_ms;          /* -1 = the driver's */
	char transcript[256];      /* "no", "yes" or a path: everything that is said on the line */
	int announce;              /* 0 no, 1 yes; CONFIG_UNSET: yes, unless a person turns it */
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
	int announce;              /* 0 no, 1 yes; CONFIG_UNSET: yes, unless it watches */
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

/* The places where settings were read, so that checks across sections can name file and line, too. file 0: none. */
#define CONFIG_MAX_FILES 32
#define CONFIG_MAX_OPTIONS 80
#define CONFIG_MAX_SECTIONS 8
struct config_place {
	int file; /* index into file[] */
	int line;
};
struct config_places {
	char file[CONFIG_MAX_FILES + 1][256];
	int files; /* highest index in use */
	struct config_place section[CONFIG_MAX_SECTIONS][CONFIG_MAX_DEVICES]; /* server, focuser, camera, ... */
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
	uint64_t version;          /* 0 as read; grows by one with each change while the server runs */
	struct config_places places;
};

/* Sets every option to its default; there are no devices. */
void config_defaults(struct config *config);

/* Reads path and then conf.d/ *.conf beside it, over what config holds.  All errors found are
 * appended to errors, one line each, "file:line: sentence"; ERR_INVALID_VALUE when there was any,
 * ERR_IO when path cannot be read. */
enum err_code config_read(struct config *config, const char *path, struct buf *errors);

/* Sets server.bind; "all" and "*" are all addresses.  False when the text is too long. */
bool config_set_bind(struct config *config, const char *address);

/* What the checks have to know of one driver. The driver owns the texts. */
struct config_driver {
	const char *name;       /* in the configuration: "moonlite" */
	/* The words that may stand in quirks, "hand-controller, aux-port"; "" when there are none. */
	const char *quirks;
	bool uses_port;         /* `port` must be given */
	bool finds_port;        /* port = auto can find its devices */
	bool by_hand;           /* it heeds steps_per_turn, because nobody else knows the knob */
	bool sets_speed, sets_step_mode, has_tempcomp; /* it heeds speed, step_mode, tempcomp_steps_per_c */
	bool uses_path;         /* `path` must be given; only cameras use it */
	bool uses_command;      /* `command` must be given; only cameras use it */
	bool uses_device;       /* heeds `device`, which tells several behind one port apart */
	/* What the parser that runs later says of a `port` or a `path`.  read_port is pure: ERR_INVALID_VALUE.  The
	 * other
	 * two look at what is there at this moment, and open nothing.  NULL: nothing can be said. */
	enum err_code (*read_port)(const char *port, struct err *err);
	enum err_code (*look_port)(const char *port, struct err *err);
	enum err_code (*look_path)(const char *path, struct err *err);
	/* The same for `command` and `frame`: ERR_INVALID_VALUE as they are written, ERR_IO as things are at this
	 * moment. */
	enum err_code (*look_command)(const struct camera_port *port, struct err *err);
	enum camera_mode mode;  /* of cameras */
	/* What the sandboxed service must be allowed beside its defaults, "" nothing.  NULL: nothing. */
	void (*service_needs)(const struct camera_port *port, char *out, size_t cap);
};

/* All drivers of the program, each list ended by a NULL name. */
struct config_drivers {
	const struct config_driver *focusers, *cameras;
	/* Names the ports that might have such a focuser, "port = NAME" after "port = NAME", cut to cap bytes; "" none.
	 * Asked only where port = auto stands for a driver that does not find its port.  NULL: nothing is known. */
	void (*name_candidates)(const char *driver, char *out, size_t cap);
	/* The same for `bind`; "" is all addresses.  NULL: nothing can be said. */
	enum err_code (*read_bind)(const char *bind, struct err *err);
	enum err_code (*look_bind)(const char *bind, struct err *err);
};

/* Checks that span sections or need what runs later: drivers exist, port or path given where needed and readable,
 * nothing given that the driver does not heed, partners exist, limits in order.  Errors as config_read(). */
enum err_code config_check(const struct config *config, const struct config_drivers *drivers, struct buf *errors);

/* What a configuration without errors probably does not mean: what is not there at this moment (ports, folders,
 * addresses), and what does nothing.  Appended to `warnings` one line each, "file:line: warning: [focuser.0] sentence".
 * It looks at the disk and may take as long as that. */
void config_warn(const struct config *config, const struct config_drivers *drivers, struct buf *warnings);

/* The place where option `key` of section "server" or "focuser.N" was given in the files; file is 0 where it was not.
 * This is for people only: what a value means never depends on its place. */
struct config_place config_place_of(const struct config *config, const char *section, const char *key, int number);

/* Notes that a value of an unnumbered section stands above the files, and where it came from ("the command line"). */
void config_override(struct config *config, const char *section, const char *key, const char *where);

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

/* One row of the options table: parser, `focusd --check`, settings and test of the manual page read it. */
struct config_option {
	const char *section;   /* "server", "focuser.N", ... */
	const char *name;
	enum config_type type;
	const char *unit;      /* "" none */
	double low, high;      /* bounds of numbers, both allowed */
	const char *fallback;  /* default as text for people, "-" none */
	const char *initial;   /* default as it is parsed, "nan" or "unset" unknown; NULL = fallback */
	const char *help;
	const char *note;      /* said with the bounds, NULL none */
	const char *const *choices; /* NULL-terminated */
	bool live;             /* may change while the server runs: whoever uses it reads it at the start of each
	                        * operation; the others are read once, when the server starts */
	size_t offset;         /* of the field in struct config, for N = 0 */
	size_t size;           /* of the field */
};
extern const struct config_option config_options[];
extern const size_t config_option_count;

/* The option of section "focuser.N" with this name; NULL when there is none. */
const struct config_option *config_option_find(const char *section, const char *key);

/* Prints the value of an option for device `number` (0 in sections without number) as it would stand in a file; ""
 * where it is unknown or unset.  Longer than cap bytes is cut; CONFIG_VALUE_ROOM is always enough. */
#define CONFIG_VALUE_ROOM 512
void config_option_print(const struct config *config, const struct config_option *option, int number, char *out,
	size_t cap);

#endif
