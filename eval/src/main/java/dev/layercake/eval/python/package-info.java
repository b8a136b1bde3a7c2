/**
 * What official benchmark code takes for granted of Python: its random numbers, its notion of white space and digits, and how it
 * rounds. Prompts are made and answers scored exactly as there only with these.
 */
@NullMarked
package dev.layercake.eval.python;

import org.jspecify.annotations.NullMarked;
