/* SPDX-License-Identifier: MIT */
/*
 * How servers that borrow devices from each other in a circle notice it: with the order to connect a server tells in a
 * header for which devices it borrows, its own and those of the servers that borrow from it.
 */
#ifndef FOCUSD_BORROWERS_H
#define FOCUSD_BORROWERS_H

/* The header of HTTP; its value is a list of UniqueIDs with commas. */
#define BORROWERS_HEADER "Focusd-Borrowers"
/* Room for the value: five UUIDs.  A longer list is not told, since nobody borrows through so many servers. */
#define BORROWERS_ROOM 192

#endif
