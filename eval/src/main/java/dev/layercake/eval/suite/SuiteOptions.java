package dev.layercake.eval.suite;

import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What can be chosen of any suite.
 *
 * @param data the folder or file with the published data
 * @param tasks names of tasks to run; empty for all that are there
 * @param samples most questions of each task, the first ones; 0 for all
 * @param promptLimit most tokens of a prompt before its middle is left out; null for what the model's context holds
 */
public record SuiteOptions(
        Path data,
        List<String> tasks,
        int samples,
        @Nullable Integer promptLimit) {
    public SuiteOptions {
        tasks = List.copyOf(tasks);
        if (samples < 0) {
            throw LayercakeException.badInput("--samples must be 0 for all, or more, not " + samples + ".");
        }
        if (promptLimit != null && promptLimit < 2) {
            throw LayercakeException.badInput("--prompt-limit must be at least 2 tokens, not " + promptLimit + ".");
        }
    }

    boolean wants(String task) {
        return tasks.isEmpty() || tasks.contains(task);
    }

    /** How many of so many rows to take. */
    int take(int rows) {
        return samples == 0 ? rows : Math.min(samples, rows);
    }

    /** Most tokens of a prompt's own text, so that template and answer fit as well. */
    int textLimit(int contextTokens, int templateTokens, int newTokens) {
        int room = contextTokens - templateTokens - newTokens;
        int limit = promptLimit == null ? room : Math.min(promptLimit, room);
        if (limit < 2) {
            throw LayercakeException.badInput(
                    "A context of " + contextTokens + " tokens has no room for a prompt beside " + newTokens
                            + " tokens of answer; give a larger one (-c).");
        }
        return limit;
    }
}
