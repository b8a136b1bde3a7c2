package dev.layercake.eval;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.SplittableRandom;

/**
 * A chronicle with facts planted in it and a question about each of them: what {@code layercake demo} shows. The same seed
 * and length give the same text.
 *
 * @param text all of it
 * @param sentences for each question the planted ones that its answer needs
 * @param samples a question each
 */
public record Demo(String text, List<List<String>> sentences, List<Sample> samples) {
    /** Questions that a text can have. */
    public static final int MOST_QUESTIONS = 8;

    /** Answers of several tokens only: the first token of an answer is not affected by any eviction. */
    private static final List<TaskFamily> FAMILIES =
            List.of(TaskFamily.NEEDLE, TaskFamily.TRACKING, TaskFamily.NEEDLE, TaskFamily.HOPS);

    public Demo {
        sentences = List.copyOf(sentences);
        samples = List.copyOf(samples);
    }

    /**
     * Writes a text.
     *
     * @param tokens of text and the longest question together, the chat template's included
     * @param questions 1 to {@link #MOST_QUESTIONS}
     */
    public static Demo write(PromptEncoder encoder, int tokens, int questions, long seed) {
        Language language = Language.load(false);
        SplittableRandom random = new SplittableRandom(seed);
        Draw draw = new Draw(language, random.split());
        List<Planted> facts = new ArrayList<>();
        for (int index = 0; index < questions; index++) {
            TaskFamily family = FAMILIES.get(index % FAMILIES.size());
            facts.add(family.plant(draw, 1));
        }
        Planted longest = facts.stream()
                .max(Comparator.comparingInt(fact -> encoder.count(fact.question() + fact.answer())))
                .orElseThrow();
        List<String> asked =
                facts.stream().flatMap(fact -> fact.asked().stream()).toList();
        List<String> others =
                facts.stream().flatMap(fact -> fact.others().stream()).toList();
        Planted all = new Planted(asked, others, longest.question(), longest.answer(), longest.facts());
        Prompt prompt = new Composer(encoder, new Chronicle(language))
                .compose(all, tokens, OptionalDouble.of(0.4), false, false, random);
        List<Sample> samples = new ArrayList<>();
        for (Planted fact : facts) {
            SequencedMap<String, String> labels = new LinkedHashMap<>();
            labels.put("question", Integer.toString(samples.size() + 1));
            samples.add(new Sample(
                    "question-" + (samples.size() + 1),
                    new Prompt(prompt.text(), fact.question(), false),
                    fact.answer(),
                    fact.facts(),
                    fact.asked(),
                    TextMatch.EXACT,
                    labels));
        }
        return new Demo(prompt.text(), facts.stream().map(Planted::asked).toList(), samples);
    }

    /** This text with fewer questions. */
    public Demo first(int questions) {
        return new Demo(text, sentences, samples.subList(0, Math.min(questions, samples.size())));
    }

    /** The demo as an evaluation, for reports. */
    Evaluation evaluation() {
        return new Evaluation("demo", samples, new LinkedHashMap<>(), Evaluation.View.table("question"));
    }
}
