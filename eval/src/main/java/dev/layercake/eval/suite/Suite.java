package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.PromptEncoder;

/** A published benchmark. */
public interface Suite {
    /**
     * Its questions for one model.
     *
     * @param encoder of the model
     * @param contextTokens most tokens of prompt and answer together; longer prompts lose their middle, or are refused, as the
     *     suite has it
     * @throws dev.layercake.kernels.LayercakeException (bad input) if its files are missing or not as they should be
     */
    Evaluation evaluation(PromptEncoder encoder, int contextTokens);
}
