package dev.layercake.eval;

import dev.layercake.engine.GenerationSummary;
import java.util.List;

/**
 * One question of a demo under one contender, with all that can be shown about it.
 *
 * @param question index of the sample
 * @param positions of the entries that were kept, layer by layer and head by head; see
 *     {@link dev.layercake.engine.Session#positions}
 */
public record Trial(
        int question, Contender contender, Outcome outcome, GenerationSummary summary, List<List<int[]>> positions) {
    public Trial {
        positions = List.copyOf(positions);
    }
}
