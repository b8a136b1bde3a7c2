package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * One question of an evaluation.
 *
 * @param id unlike every other id of the evaluation, and the same in every run of the same setup
 * @param prompt what is asked
 * @param answer the right one, whole
 * @param facts the parts of it that cannot be guessed, at least one
 * @param evidence sentences of the prompt's text that hold the answer; empty if that is not known
 * @param scoring how an answer is judged
 * @param labels what reports group by, for example length and depth
 */
public record Sample(
        String id,
        Prompt prompt,
        String answer,
        List<String> facts,
        List<String> evidence,
        Scoring scoring,
        SequencedMap<String, String> labels) {
    public Sample {
        facts = List.copyOf(facts);
        evidence = List.copyOf(evidence);
        labels = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(labels));
        if (facts.isEmpty()) {
            throw LayercakeException.badInput("The sample " + id + " has no fact to look for; give it at least one.");
        }
    }
}
