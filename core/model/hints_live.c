#include "model/hints_make.h"

void hints_of_live(struct hint_maker *maker)
{
    (void)maker;
}
