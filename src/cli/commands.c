#include "cli/commands.h"

#include <string.h>

#include "cli/suggest.h"
#include "util/cleanup.h"

const struct command *const commands[COMMAND_COUNT] = {
    &command_agent,   &command_run,     &command_plan,   &command_check,
    &command_summary, &command_recover, &command_schema, &command_help,
};

static const struct command *const hidden[] = {&command_guardian, &command_shard};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    for (size_t i = 0; i < COUNT_OF(hidden); i++)
        if (strcmp(hidden[i]->name, name) == 0)
            return hidden[i];
    return NULL;
}

int command_unknown(const char *name, struct error *err)
{
    struct suggestion near = {.word = name};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggest_offer(&near, commands[i]->name);
    error_set(err, ERROR_INPUT, NULL, "unknown command '%s'", name);
    if (near.best)
        error_cure(err, "did you mean '%s'?", near.best);
    return ERROR_INPUT;
}

static bool takes_many(const struct command *command)
{
    size_t size = strlen(command->operand);
    return size > 3 && strcmp(command->operand + size - 3, "...") == 0;
}

/* Takes the command's own operand, or operands, from the front. */
static int take_operand(const struct command *command, struct operands *operands,
                        union arguments *arguments, struct error *err)
{
    if (!command->operand)
        return 0;
    if (operands->count == 0 && command->operand[0] == '[')
        return 0;
    if (operands->count == 0)
        return error_set(err, ERROR_INPUT, NULL, "%s is missing", command->operand);
    size_t count = takes_many(command) ? operands->count : 1;
    for (size_t i = 0; i < count; i++)
        if (!operands->words[i][0])
            return error_set(err, ERROR_INPUT, NULL, "%s is empty", command->operand);
    void *place = (char *)arguments + command->operand_place;
    if (takes_many(command))
        *(struct operands *)place = *operands;
    else
        *(const char **)place = operands->words[0];
    operands->words += count;
    operands->count -= count;
    return 0;
}

int command_parse(const struct command *command, int argc, char **argv, union arguments *arguments,
                  struct operands *rest, struct error *err)
{
    struct operands operands;
    *arguments = command->defaults;
    int stop = options_parse(&command->options, argc, argv, arguments, &operands, err);
    if (!stop)
        stop = take_operand(command, &operands, arguments, err);
    if (!stop && operands.count && !rest)
        stop = error_set(err, ERROR_INPUT, NULL, "'%s' is one word too many", operands.words[0]);
    if (!stop && rest)
        *rest = operands;
    return stop;
}
