/* SPDX-License-Identifier: MIT */
#include "driver_facts.h"

#include <stdlib.h>

#include "camera_driver.h"
#include "focuser_driver.h"
#include "http.h"
#include "ports.h"
#include "transport.h"

static void name_candidates(const char *name, char *out, size_t cap)
{
	out[0] = '\0';
	const struct focuser_driver *driver = focuser_driver_find(name);
	struct ports *list = driver == NULL ? NULL : ports_list(ports_system());
	if (list != NULL) {
		ports_name_candidates(list, driver, out, cap);
		free(list);
	}
}

/* Joins the words as in "hand-controller, aux-port"; text is empty at first. */
static void join_quirks(const struct focuser_quirk *quirks, struct buf *text)
{
	buf_init(text, 4096);
	for (const struct focuser_quirk *q = quirks; q != NULL && q->word != NULL; q++) {
		buf_printf(text, "%s%s", q == quirks ? "" : ", ", q->word);
	}
}

static struct config_driver focuser_facts(const struct focuser_driver *driver, const char *quirks)
{
	return (struct config_driver){
		.name = driver->name,
		.quirks = quirks,
		.uses_port = driver->uses_port,
		.finds_port = driver->behind_server || ports_can_find(driver),
		.by_hand = driver->by_hand,
		.sets_speed = driver->sets_speed,
		.sets_step_mode = driver->sets_step_mode,
		.has_tempcomp = driver->set_tempcomp != NULL,
		.uses_device = driver->uses_device,
		.read_port = driver->read_port != NULL ? driver->read_port : transport_read_name,
		.look_port = driver->behind_server ? NULL : transport_look,
	};
}

static struct config_driver camera_facts(const struct camera_driver *driver)
{
	return (struct config_driver){
		.name = driver->name,
		.quirks = "",
		.uses_port = driver->uses_port,
		.uses_path = driver->uses_path,
		.uses_device = driver->uses_device,
		.read_port = driver->read_port != NULL ? driver->read_port : transport_read_name,
		.look_port = driver->read_port != NULL ? NULL : transport_look,
		.look_path = driver->look_path,
		.uses_command = driver->uses_command,
		.look_command = driver->look_command,
		.mode = driver->mode,
		.service_needs = driver->service_needs,
	};
}

bool driver_facts_init(struct driver_facts *facts)
{
	size_t focusers = 0, cameras = 0;
	while (focuser_drivers[focusers] != NULL) {
		focusers++;
	}
	while (camera_drivers[cameras] != NULL) {
		cameras++;
	}
	/* Each list has one entry more, which stays zero and ends it. */
	facts->focusers = calloc(focusers + 1, sizeof facts->focusers[0]);
	facts->cameras = calloc(cameras + 1, sizeof facts->cameras[0]);
	facts->quirks = calloc(focusers + 1, sizeof facts->quirks[0]);
	if (facts->focusers == NULL || facts->cameras == NULL || facts->quirks == NULL) {
		return false;
	}
	facts->focuser_count = focusers;
	for (size_t i = 0; i < focusers; i++) {
		join_quirks(focuser_drivers[i]->quirks, &facts->quirks[i]);
		if (facts->quirks[i].failed) {
			return false;
		}
		facts->focusers[i] = focuser_facts(focuser_drivers[i], buf_text(&facts->quirks[i]));
	}
	for (size_t i = 0; i < cameras; i++) {
		facts->cameras[i] = camera_facts(camera_drivers[i]);
	}
	facts->table = (struct config_drivers){
		.focusers = facts->focusers,
		.cameras = facts->cameras,
		.name_candidates = name_candidates,
		.read_bind = http_bind_read,
		.look_bind = http_bind_look,
	};
	return true;
}

void driver_facts_fini(struct driver_facts *facts)
{
	for (size_t i = 0; i < facts->focuser_count; i++) {
		buf_fini(&facts->quirks[i]);
	}
	free(facts->focusers);
	free(facts->cameras);
	free(facts->quirks);
}
