/**
 * Published benchmarks as evaluations: each class reads one suite's files in their official layout, or makes its texts, and
 * says how answers are scored. They run as any other {@link dev.layercake.eval.Evaluation} does.
 */
@NullMarked
package dev.layercake.eval.suite;

import org.jspecify.annotations.NullMarked;
