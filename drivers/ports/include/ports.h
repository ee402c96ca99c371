/* SPDX-License-Identifier: MIT */
/*
 * The serial ports of this machine: which there are, what is behind them by their USB identity, who
 * holds them, and which one a configured name means.  Nothing here opens a port or sends a byte,
 * but ports_ask(), which asks one focuser of a known maker.  Any thread; no state.
 */
#ifndef FOCUSD_PORTS_H
#define FOCUSD_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "focuser_driver.h"
#include "text.h"

/* What udev's database knows of a port beyond the kernel; "" where it knows nothing. */
struct ports_udev_facts {
	char path[128];           /* ID_PATH: the socket it is plugged into */
	bool modem_ignored;       /* ID_MM_DEVICE_IGNORE or ID_MM_PORT_IGNORE: ModemManager stays away */
};

/* Where the system is looked at: "/sys", "/dev", "/proc" and udev, or a tree that a test has made. */
struct ports_roots {
	const char *sys, *dev, *proc;
	/* False when udev does not know the port; NULL: there is no udev. */
	bool (*udev_facts)(const char *name, struct ports_udev_facts *out);
	bool udev_events;         /* plug events come from udev, if it runs; else from inotify alone */
};

/* The real ones.  A test program brings its own. */
const struct ports_roots *ports_system(void);

enum port_kind {
	PORT_UNKNOWN,   /* a USB device that is in no table */
	PORT_FOCUSER,   /* its USB identity belongs to one maker's focusers: may be asked */
	PORT_BRIDGE,    /* a chip that could have anything behind it: only the owner knows */
	PORT_OTHER,     /* known to be something else: a mount, a GPS receiver, a modem, a power box */
	PORT_PLAIN,     /* no USB: a UART of the board, Bluetooth */
};
const char *port_kind_name(enum port_kind kind); /* "unknown", "focuser", "bridge", "other", "plain" */

struct port_holder {
	int pid;                  /* 0: nobody as far as can be seen */
	char program[32];         /* "ModemManager"; "" unknown */
};

struct port_info {
	char name[32];            /* "ttyUSB0" */
	char node[256];           /* "/dev/ttyUSB0" */
	char by_id[256];          /* "/dev/serial/by-id/...", "" none */
	char by_path[256];
	/* The name to configure: by-id, unless another port could have the same one (no serial number, or
	 * one that its maker gives to all): then by-path; node when there is neither. */
	const char *stable;
	bool is_unique;           /* vid, pid and serial number tell it from any other */
	uint16_t vid, pid;        /* 0: no USB */
	char manufacturer[64], product[64], serial[64];
	int interface;            /* of the USB device, -1 none; its ports share a serial number */
	int port_number;          /* of the interface, 0 when it has one */
	char path[128];           /* where it is plugged in, "" unknown */
	char kernel_driver[32];   /* "ftdi_sio" */
	enum port_kind kind;
	const char *what;         /* for people: "FTDI bridge", "GPS receiver"; static */
	const struct focuser_driver *driver; /* whose device it is (PORT_FOCUSER) or might be; NULL */
	bool exists;              /* the node is there */
	bool accessible;          /* this user may read and write it */
	bool modem_ignored;       /* as in struct ports_udev_facts */
	struct port_holder holder;
};

#define PORTS_MAX 64
struct ports {
	size_t count;
	struct port_info port[PORTS_MAX];
};

/* Lists all serial ports with hardware behind them, by name; pseudo terminals are none.  Takes as
 * long as reading /proc once.  NULL when out of memory; the caller frees it with free(). */
struct ports *ports_list(const struct ports_roots *roots);

/* The port that a name means ("/dev/ttyUSB0", a link to it), NULL when it is none of the list. */
const struct port_info *ports_find(const struct ports_roots *roots, const struct ports *list,
	const char *name);

/* Fills kind, what and driver from the tables. */
void ports_classify(struct port_info *port);

/* Whether the text is a serial number that tells devices apart. */
bool ports_serial_counts(const char *serial);

/* Fills the holders of all ports of the list, this process left out. */
void ports_find_holders(const struct ports_roots *roots, struct ports *list);

/* Says that path (resolved) is in use and, if it can be seen, by whom.  ERR_IO. */
enum err_code ports_say_busy(const struct ports_roots *roots, const char *path, struct err *err);

/* What to do about a program that takes ports by itself: "; the rules in packaging/udev keep it away",
 * "" nothing in particular. */
const char *ports_holder_advice(const char *program);

/* "Mount Hub Pro (0403:6015, serial A1)", for people. */
void ports_describe(const struct port_info *port, char *out, size_t cap);

/* The lines of the configuration that name this port. */
void ports_config_lines(const struct port_info *port, struct buf *out);

/* ---- Which port to open ---- */

/* What is remembered of a device's port, to find it again. */
struct port_identity {
	char configured[256];     /* the name in the configuration at that time; "" = nothing known */
	char driver[32];
	uint16_t vid, pid;        /* 0: no USB port */
	char serial[64];          /* "" when it does not count */
	int interface, port_number;
	char path[128];
	char product[64];
	bool alone;               /* never seen with another of its kind without a serial number */
	char answer[96];          /* what the device said it is; "" unknown */
};

struct port_choice {
	char open[256];           /* what to open */
	char tty[32];             /* the port's name, "" when it is none of the list */
	bool proven;              /* by USB serial number the same device as remembered */
	bool warn;                /* the note is worth a warning */
	char note[240];           /* a sentence for the log, "" none */
	struct port_identity identity; /* of what will be opened; answer empty */
};

/* Decides what a configured name means now: "auto", "tcp://...", a node or a link to one.  known is what
 * is remembered (NULL nothing); again says that the link was up and is being reopened.  Changed
 * text in the configuration makes what is remembered void.
 *
 * The remembered device is looked for by USB serial number, or where that does not count, at the
 * socket it was plugged into; it is taken under whatever name it has now.  (One without serial
 * number at another socket is taken only where it has its name, and never had company of its kind.)
 * If it is not there, but another device has its name: refused while the link is being reopened,
 * and when the name is one that the kernel gives out as it comes (ttyUSB0); accepted with a note
 * under a name that means a device (by-id) or was chosen anew.  Refused, too, when somebody else
 * holds the port, or when a name that the kernel gives out leads to what is known to be something else. */
enum err_code ports_choose(const struct ports_roots *roots, const char *configured,
	const struct focuser_driver *driver, const struct port_identity *known, bool again,
	struct port_choice *out, struct err *err);

/* Whether a driver can be found by itself: some of its USB identities belong to one maker. */
bool ports_can_find(const struct focuser_driver *driver);

/* Names the ports that might be such a device, "port = NAME" after "port = NAME"; "" none. */
void ports_name_candidates(const struct ports *list, const struct focuser_driver *driver,
	char *out, size_t cap);

/* ---- Asking ---- */

/* Listens on a port for 200 ms before anybody sends: ERR_PROTOCOL when something talks unasked, which no
 * focuser does.  ERR_IO. */
enum err_code ports_listen(const char *path, int baud, struct err *err);

/* Listens, opens, waits as the driver wants, identifies once, closes.  Only for a free port of kind
 * PORT_FOCUSER: anything else is ERR_INVALID_OPERATION and not touched. */
enum err_code ports_ask(const struct port_info *port, struct focuser_caps *caps, struct err *err);

#endif
