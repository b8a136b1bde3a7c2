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

    /**
     * What an answer begins with where one sentence of the text says it and the answer is nothing but its fact: the sentence up to
     * that fact, " The code of Ivan is"; empty for other questions.
     */
    String answerBegins() {
        String fact = facts.getFirst();
        int place = asked.size() == 1 ? asked.getFirst().indexOf(" " + fact) : -1;
        return place > 0 && answer.strip().equals(fact) ? asked.getFirst().substring(0, place) : "";
    }
}
