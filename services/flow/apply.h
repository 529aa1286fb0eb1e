/* apply.h - the duty `apply`: from the spool to the destination.
 *
 * A process: one task, one thread, killable at any instant. It claims the task on
 * the destination, copies the snapshot if that is not done, follows the stream,
 * and settles and seals when asked to stop. Every failure ends it with a message;
 * whoever starts the next one makes it claim again, so no state is mended here.
 */
#pragma once

/* Run the duty over the descriptors of child.h. Returns the exit code. */
int apply_main(int socket_fd);
