/* Gives back what only the start needed. */
#pragma once

/* Drops the code pages that are mapped now: starting up touches far more of virga and its libraries than serving does (and the
 * kernel maps sixteen pages around each). What is needed again comes back from the page cache by a minor fault. Only text, which
 * nobody has written to. */
void trim_text(void);
/* Buffers of bodies and connections go back to the kernel when they are freed. (glibc raises the size from which blocks are
 * mapped by themselves to that of the largest one freed so far; from then on such buffers live in its arenas, and stay: 119
 * instead of 35 MiB after a hundred uploads in parallel.) Before the first thread. */
void trim_large_blocks(void);
