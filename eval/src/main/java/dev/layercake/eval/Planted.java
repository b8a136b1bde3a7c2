package dev.layercake.eval;

import java.util.List;

/**
 * What a task hides in a text, and the question about it.
 *
 * @param asked sentences that the answer needs, the first one first; each begins with a space
 * @param others sentences beside them
 * @param question begins with a space
 * @param answer begins with a space
 * @param facts the parts of the answer that cannot be guessed
 */
record Planted(List<String> asked, List<String> others, String question, String answer, List<String> facts) {
    Planted {
        asked = List.copyOf(asked);
        others = List.copyOf(others);
        facts = List.copyOf(facts);
    }
}
