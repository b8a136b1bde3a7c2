package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Haystack;
import dev.layercake.eval.Prompt;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.python.PythonRandom;
import dev.layercake.eval.suite.RulerTask.Draft;
import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntFunction;

/**
 * RULER's tasks made here, in the evaluated model's tokens: eleven of thirteen; the two of questions and answers need foreign
 * texts and are read from official files only ({@link RulerSuite}).
 */
public final class RulerLike implements Suite {
    private static final int MOST_UNITS = 200_000;

    private final List<RulerTask> tasks;
    private final List<Integer> lengths;
    private final int samples;
    private final long seed;
    private final Haystack haystack;
    private final Words words = Words.load();

    /**
     * Asks for some of them.
     *
     * @param tasks names, "niah_single_1"; empty for all
     * @param lengths tokens of prompt and answer together
     * @param samples questions of each task and length
     */
    public RulerLike(List<String> tasks, List<Integer> lengths, int samples, long seed, Haystack haystack) {
        List<RulerTask> all = Arrays.asList(RulerTask.values());
        for (String task : tasks) {
            if (all.stream().noneMatch(each -> each.label().equals(task))) {
                throw LayercakeException.badInput("There is no task '" + task + "' that can be made here; there are "
                        + String.join(", ", all.stream().map(RulerTask::label).toList())
                        + " (qa_1 and qa_2 from official files, with --data).");
            }
        }
        if (samples < 1 || samples > 100_000) {
            throw LayercakeException.badInput("--samples must be from 1 to 100000, not " + samples + ".");
        }
        this.tasks = tasks.isEmpty()
                ? all
                : all.stream().filter(each -> tasks.contains(each.label())).toList();
        this.lengths = List.copyOf(lengths);
        this.samples = samples;
        this.seed = seed;
        this.haystack = haystack;
    }

    @Override
    public Evaluation evaluation(PromptEncoder encoder, int contextTokens) {
        List<Sample> all = new ArrayList<>();
        for (int length : lengths) {
            for (RulerTask task : tasks) {
                int units = most(task, length, encoder);
                for (int index = 0; index < samples; index++) {
                    all.add(sample(task, length, units, index, encoder));
                }
            }
        }
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", "ruler-like");
        setup.put("seed", Long.toString(seed));
        setup.put("haystack", haystack.identity());
        return new Evaluation("ruler-like", all, setup, Evaluation.View.scores(lengths.size() > 1 ? "length" : "task"));
    }

    /** The largest haystack with which the first sample fits. */
    private int most(RulerTask task, int length, PromptEncoder encoder) {
        int fits = 0;
        int probe = 8;
        while (probe <= MOST_UNITS && tokens(task, length, probe, 0, encoder) <= length) {
            fits = probe;
            probe *= 2;
        }
        int beyond = Math.min(probe, MOST_UNITS + 1);
        while (beyond - fits > 1) {
            int middle = (fits + beyond) / 2;
            if (tokens(task, length, middle, 0, encoder) <= length) {
                fits = middle;
            } else {
                beyond = middle;
            }
        }
        if (fits == 0) {
            throw LayercakeException.badInput(
                    "A text of " + length + " tokens is too short for " + task.label() + "; give longer --lengths.");
        }
        return fits;
    }

    private int tokens(RulerTask task, int length, int units, int index, PromptEncoder encoder) {
        Draft draft = draft(task, length, units, index);
        return encoder.encode(prompt(draft)).count() + RulerSuite.newTokens(task.label());
    }

    private Draft draft(RulerTask task, int length, int units, int index) {
        long own = seed * 1_000_003 + length * 10_007L + task.label().hashCode() * 101L + index;
        IntFunction<List<String>> prose = count -> haystack.sentences(own, count);
        return task.draft(new RulerTask.Size(units, length), words, PythonRandom.seeded(own), prose);
    }

    private static Prompt prompt(Draft draft) {
        return new Prompt(draft.text(), draft.question(), false, Prompt.Form.VERBATIM.answering(draft.answerBegins()));
    }

    private Sample sample(RulerTask task, int length, int most, int index, PromptEncoder encoder) {
        int units = most;
        while (units > 1 && tokens(task, length, units, index, encoder) > length) {
            units = Math.max(1, units - Math.max(1, most / 100));
        }
        Draft draft = draft(task, length, units, index);
        SequencedMap<String, String> labels = new LinkedHashMap<>();
        labels.put("task", task.label());
        labels.put("length", Integer.toString(length));
        return new Sample(
                task.label() + "-" + length + "-" + index,
                prompt(draft),
                draft.answers().getFirst(),
                draft.answers(),
                List.of(),
                RulerSuite.scoring(task.label(), draft.answers()),
                labels);
    }
}
