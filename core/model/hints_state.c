#include "model/hints_make.h"

void hints_of_state(struct hint_maker *maker)
{
    (void)maker;
}
