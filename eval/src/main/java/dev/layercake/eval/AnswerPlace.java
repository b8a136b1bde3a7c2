package dev.layercake.eval;

import java.util.List;
import java.util.OptionalInt;

/**
 * Where the answer of a question lies in its prompt, seen from the end: what lies in the last tokens, which most policies
 * keep unjudged, is found again whatever a policy thinks of it, and tells nothing about the policy.
 */
final class AnswerPlace {
    private AnswerPlace() {}

    /**
     * Tokens from the first one of the answer to the end of what the policy cuts: a window of so many holds every fact of it.
     *
     * @param tokens of the sample's prompt
     * @return empty if the sample does not say which sentences hold its answer
     */
    static OptionalInt distance(
            PromptEncoder encoder, Sample sample, PromptEncoder.Tokens tokens, Runner.Compression compression) {
        String text = sample.prompt().text();
        int first = text.length();
        for (String fact : sample.facts()) {
            int place = last(text, sample.evidence(), fact);
            if (place < 0) {
                return OptionalInt.empty();
            }
            first = Math.min(first, place);
        }
        // The blank before a word belongs to its token.
        if (first > 0 && text.charAt(first - 1) == ' ') {
            first--;
        }
        int behind = compression == Runner.Compression.PROMPT ? tokens.question().length : 0;
        return OptionalInt.of(encoder.count(text.substring(first)) + behind);
    }

    /** The last place where a sentence that holds the answer says a fact; -1 if none does. */
    private static int last(String text, List<String> evidence, String fact) {
        int last = -1;
        for (String sentence : evidence) {
            int begin = text.lastIndexOf(sentence);
            int within = sentence.lastIndexOf(fact);
            if (begin >= 0 && within >= 0) {
                last = Math.max(last, begin + within);
            }
        }
        return last;
    }
}
