/* receive.h - the duty `receive`: from the source to the spool.
 *
 * A process: one task, one thread, killable at any instant. It attaches to the
 * source as a replica, goes on where the spool ends or asks for a snapshot, and
 * writes down what comes. It never waits for the destination: only the link of a
 * snapshot beside the stream may be read slowly, when the spool has no room.
 */
#pragma once

/* Run the duty over the descriptors of child.h. Returns the exit code. */
int receive_main(int socket_fd);
