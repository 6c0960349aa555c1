/* The program: cli_main() finds the mode, runs it and tells the exit status. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
