/* SPDX-License-Identifier: MIT */
/*
 * The stream of an INDI server, taken apart: a never-ending run of XML elements without a root, at most two deep, as
 * the protocol's description has it (INDI: Instrument-Neutral Distributed Interface, E. C. Downey, 2007, and
 * indiserver 1.9.9).  Bytes go in as they come, whole elements come out.
 *
 * The XML is expat's business, which is loaded when the first reader is made.  The content of a BLOB, which may be
 * hundreds of megabytes of base64, goes past it: between the tags <oneBLOB> and </oneBLOB> everything up to the next
 * '<' is handed on as it stands in the caller's memory.
 *
 * One thread at a time for each reader.
 */
#ifndef FOCUSD_INDI_XML_H
#define FOCUSD_INDI_XML_H

#include <stddef.h>

#include "err.h"

/* The most bytes that one tag, and that all tags and texts of one element, may have beside the content of BLOBs;
 * indiserver's largest (a switch with the names of all telescope sites) have some 30 KiB. */
#define INDI_TAG_MAX (64 << 10)
#define INDI_ELEMENT_MAX (1 << 20)

/* One element with its children, <setNumberVector> with its <oneNumber>s.  Valid during a call of a handler. */
struct indi_element;

/* The tag of the element itself (node 0) or of one of its children (1..indi_element_children()). */
const char *indi_element_tag(const struct indi_element *e, size_t node);
/* An attribute's value; NULL when it is not there. */
const char *indi_element_attr(const struct indi_element *e, size_t node, const char *name);
/* The text of a child without blanks around it; "" when there is none, and for BLOBs. */
const char *indi_element_text(const struct indi_element *e, size_t node);
size_t indi_element_children(const struct indi_element *e);

/* Names and texts are the very bytes that the server sent, whatever their encoding. */
struct indi_xml_handlers {
	/* A whole element has come. */
	void (*element)(void *ctx, const struct indi_element *e);
	/* A BLOB begins, which is the last child so far; then its base64 comes in pieces, blanks and line ends
	 * included; then its end.  NULL, all three: BLOBs are passed over. */
	void (*blob_begin)(void *ctx, const struct indi_element *e);
	void (*blob_text)(void *ctx, const char *text, size_t len);
	void (*blob_end)(void *ctx);
};

struct indi_xml;

/* ERR_NOMEM; ERR_IO when expat is not installed.  Owned by the caller. */
enum err_code indi_xml_create(const struct indi_xml_handlers *handlers, void *ctx, struct indi_xml **out,
	struct err *err);
void indi_xml_destroy(struct indi_xml *x);

/* Takes the next bytes and calls the handlers.  ERR_PROTOCOL with a sentence when this is no INDI, ERR_NOMEM; the
 * reader is of no use afterwards. */
enum err_code indi_xml_feed(struct indi_xml *x, const char *data, size_t len, struct err *err);

#endif
