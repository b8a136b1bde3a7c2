/**
 * Judges what a cache policy does to answers. An {@link dev.layercake.eval.Evaluation} is a list of samples; a
 * {@link dev.layercake.eval.Runner} puts them to a model under a list of contenders and keeps the outcomes in a
 * {@link dev.layercake.eval.ResultsFile}; a {@link dev.layercake.eval.Report} counts and draws them, whatever the samples
 * were about.
 */
@NullMarked
package dev.layercake.eval;

import org.jspecify.annotations.NullMarked;
