/**
 * The scores of the published long-context benchmarks, to the last bit as their official code computes them: one class for each
 * benchmark's rules, and the measures of likeness that they share.
 */
@NullMarked
package dev.layercake.eval.metric;

import org.jspecify.annotations.NullMarked;
