/* The program: from its command line to its exit status. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* argv may be reordered.  Call once, from the main thread. */
int cli_main(int argc, char **argv);

#endif
