package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Evaluations whose texts are made here: a fact hidden at a depth of prose, or any {@link TaskFamily}. The same options
 * give the same texts; each sample depends on the seed, its place in the grid and nothing else, so that a grid may grow
 * without changing what it had.
 */
public final class SyntheticTasks {
    private final Options options;
    private final Language language;
    private final Composer composer;
    private final Prose prose;

    /**
     * What all texts of an evaluation have in common.
     *
     * @param samples questions for each cell of the grid, at least 1
     * @param seed of everything
     * @param haystack a folder with text files to hide facts in; null for generated prose
     * @param askedBefore whether the question stands before the text as well as behind it
     * @param newPhrasings whether sentences and questions are phrased as the bundled model has not seen them; the words in
     *     them it has never seen
     * @param begun whether the answer's first words are given, up to what is asked for, where a sentence of the text has them: small
     *     chat models come to the point then, and base models complete a sentence
     * @param scoring how answers are judged
     */
    public record Options(
            int samples,
            long seed,
            @Nullable Path haystack,
            boolean askedBefore,
            boolean newPhrasings,
            boolean begun,
            Scoring scoring) {
        public Options {
            if (samples < 1 || samples > 100_000) {
                throw LayercakeException.badInput(
                        "The number of samples must be from 1 to 100000, not " + samples + ".");
            }
        }

        /** Generated prose, the question behind it, exact scoring. */
        public static Options of(int samples, long seed) {
            return new Options(samples, seed, null, false, false, false, TextMatch.EXACT);
        }
    }

    public SyntheticTasks(PromptEncoder encoder, Options options) {
        this.options = options;
        this.language = Language.load(options.newPhrasings());
        Path haystack = options.haystack();
        this.prose = haystack == null ? new Chronicle(language) : Library.of(haystack);
        this.composer = new Composer(encoder, prose);
    }

    /** A place in the grid of samples. */
    private record Cell(TaskFamily family, int tokens, OptionalDouble depth, int index) {
        String id() {
            String at = depth.isPresent() ? "-" + percent(depth.getAsDouble()) : "";
            return family.label() + "-" + tokens + at + "-" + index;
        }
    }

    /**
     * Needle in a haystack: one fact at every length and depth.
     *
     * @param lengths tokens of prompt and answer together
     * @param depths 0 for the beginning of the text to 1 for its end
     */
    public Evaluation needle(List<Integer> lengths, List<Double> depths) {
        List<Cell> cells = new ArrayList<>();
        for (int index = 0; index < options.samples(); index++) {
            for (int length : lengths) {
                for (double depth : depths) {
                    cells.add(new Cell(TaskFamily.NEEDLE, length, OptionalDouble.of(depth), index));
                }
            }
        }
        return evaluation("needle", cells, new Evaluation.View("length", "length", "depth", false));
    }

    /** Tasks of several families at every length. */
    public Evaluation families(List<TaskFamily> families, List<Integer> lengths) {
        List<Cell> cells = new ArrayList<>();
        for (int index = 0; index < options.samples(); index++) {
            for (int length : lengths) {
                for (TaskFamily family : families) {
                    cells.add(new Cell(family, length, OptionalDouble.empty(), index));
                }
            }
        }
        return evaluation("tasks", cells, Evaluation.View.table("family"));
    }

    private Evaluation evaluation(String name, List<Cell> cells, Evaluation.View view) {
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", name);
        setup.put("seed", Long.toString(options.seed()));
        setup.put("haystack", prose.identity());
        setup.put("question", options.askedBefore() ? "before" : "end");
        setup.put(
                "phrasings", (options.newPhrasings() ? "new" : "trained") + (options.begun() ? ", answer begun" : ""));
        setup.put("scoring", options.scoring().label());
        setup.put("language", language.digest());
        return new Evaluation(name, new Samples(cells), setup, view);
    }

    /** Makes each sample when it is asked for. */
    private final class Samples extends AbstractList<Sample> {
        private final List<Cell> cells;

        Samples(List<Cell> cells) {
            this.cells = List.copyOf(cells);
        }

        @Override
        public Sample get(int index) {
            return sample(cells.get(index));
        }

        @Override
        public int size() {
            return cells.size();
        }
    }

    private Sample sample(Cell cell) {
        SplittableRandom random = random(cell.id());
        Planted planted = cell.family().plant(new Draw(language, random.split()), cell.tokens());
        Prompt prompt =
                composer.compose(planted, cell.tokens(), cell.depth(), options.askedBefore(), options.begun(), random);
        SequencedMap<String, String> labels = new LinkedHashMap<>();
        labels.put("family", cell.family().label());
        labels.put("length", Integer.toString(cell.tokens()));
        cell.depth().ifPresent(depth -> labels.put("depth", percent(depth)));
        return new Sample(
                cell.id(), prompt, planted.answer(), planted.facts(), planted.asked(), options.scoring(), labels);
    }

    /** Random numbers of a sample: of its name, so that its neighbours have no say. */
    private SplittableRandom random(String id) {
        // FNV-1a, 64 bits.
        long hash = 0xcbf29ce484222325L;
        for (byte letter : id.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ letter) * 0x100000001b3L;
        }
        return new SplittableRandom(hash ^ options.seed() * 0x9E3779B97F4A7C15L);
    }

    /**
     * Evenly spaced depths.
     *
     * @param count at least 1; 5 gives 0, 25, 50, 75 and 100 %
     */
    public static List<Double> depths(int count) {
        return IntStream.range(0, count)
                .mapToObj(index -> count == 1 ? 0.5 : (double) index / (count - 1))
                .toList();
    }

    private static String percent(double share) {
        String text = String.format(Locale.ROOT, "%.1f", share * 100);
        return (text.endsWith(".0") ? text.substring(0, text.length() - 2) : text) + "%";
    }
}
