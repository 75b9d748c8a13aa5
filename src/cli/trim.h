/* Gives back what only the start needed. */
#pragma once

/* Drops the code pages that are mapped now: starting up touches far more of virga and its libraries than serving does (and the
 * kernel maps sixteen pages around each). What is needed again comes back from the page cache by a minor fault. Only text, which
 * nobody has written to. */
void trim_text(void);
