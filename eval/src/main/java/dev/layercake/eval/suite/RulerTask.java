package dev.layercake.eval.suite;

import dev.layercake.eval.python.PythonRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * The tasks of RULER (Hsieh et al., 2024, section 3) with texts of our own: what is hidden among what, and what is asked. The
 * official sentences, word lists and essays are not part of this project, so that scores are "RULER-like" and not comparable to
 * published ones to the digit; parameters, counts and scoring are RULER's.
 */
enum RulerTask {
    NIAH_SINGLE_1 {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(noise(size.units), 1, 1, 1, Kind.WORDS, Kind.NUMBERS, words, random);
        }
    },
    NIAH_SINGLE_2 {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(prose.apply(size.units), 1, 1, 1, Kind.WORDS, Kind.NUMBERS, words, random);
        }
    },
    NIAH_SINGLE_3 {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(prose.apply(size.units), 1, 1, 1, Kind.WORDS, Kind.UUIDS, words, random);
        }
    },
    NIAH_MULTIKEY_1 {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(prose.apply(size.units), 4, 1, 1, Kind.WORDS, Kind.NUMBERS, words, random);
        }
    },
    NIAH_MULTIKEY_2 {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(List.of(), size.units, 1, 1, Kind.WORDS, Kind.NUMBERS, words, random);
        }
    },
    NIAH_MULTIKEY_3 {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(List.of(), size.units, 1, 1, Kind.UUIDS, Kind.UUIDS, words, random);
        }
    },
    NIAH_MULTIVALUE {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(prose.apply(size.units), 1, 4, 1, Kind.WORDS, Kind.NUMBERS, words, random);
        }
    },
    NIAH_MULTIQUERY {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return niah(prose.apply(size.units), 4, 1, 4, Kind.WORDS, Kind.NUMBERS, words, random);
        }
    },
    VT {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return variables(noise(size.units), random);
        }
    },
    CWE {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return commonWords(size, words, random);
        }
    },
    FWE {
        @Override
        Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose) {
            return frequentWords(size.units, random);
        }
    };

    /**
     * How much there is to read.
     *
     * @param units of the haystack: sentences, lines, hidden facts or words; at least 1
     * @param tokens of prompt and answer together; in short texts common words are less common
     */
    record Size(int units, int tokens) {}

    /** A prompt before it is known whether it fits. */
    record Draft(String text, String question, String answerBegins, List<String> answers) {}

    /** What keys and values are. */
    enum Kind {
        WORDS("words"),
        NUMBERS("numbers"),
        UUIDS("uuids");

        private final String plural;

        Kind(String plural) {
            this.plural = plural;
        }

        String draw(Words words, PythonRandom random) {
            return switch (this) {
                case WORDS -> random.choice(words.adjectives()) + "-" + random.choice(words.nouns());
                case NUMBERS -> String.valueOf(random.between(1_000_000, 9_999_999));
                case UUIDS -> random.uuid().toString();
            };
        }
    }

    private static final List<String> NOISE = List.of(
            "The wind turned at noon.",
            "A cart went by and nobody looked up.",
            "Rain was expected in the hills.",
            "The bell rang twice.",
            "Someone had left the gate open.");

    private static final int COMMON = 10;
    private static final int SHORT_TEXT = 4096;
    private static final double ZETA_2 = Math.PI * Math.PI / 6;

    /**
     * A prompt.
     *
     * @param prose sentences, as many as are asked for
     */
    abstract Draft draft(Size size, Words words, PythonRandom random, IntFunction<List<String>> prose);

    /** "niah_single_1". */
    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static List<String> noise(int units) {
        return IntStream.range(0, units)
                .mapToObj(unit -> NOISE.get(unit % NOISE.size()))
                .toList();
    }

    private static Draft niah(
            List<String> haystack,
            int keys,
            int valuesPerKey,
            int queries,
            Kind keyKind,
            Kind valueKind,
            Words words,
            PythonRandom random) {
        List<String> named = new ArrayList<>();
        List<List<String>> values = new ArrayList<>();
        List<String> facts = new ArrayList<>();
        while (named.size() < keys) {
            String key = keyKind.draw(words, random);
            if (!named.contains(key)) {
                named.add(key);
                List<String> own = new ArrayList<>();
                for (int i = 0; i < valuesPerKey; i++) {
                    String value = valueKind.draw(words, random);
                    own.add(value);
                    facts.add("One of the secret " + valueKind.plural + " for " + key + " is: " + value + ".");
                }
                values.add(own);
            }
        }
        random.shuffle(facts);
        List<Integer> asked = random.sample(IntStream.range(0, keys).boxed().toList(), queries);
        List<String> answers =
                asked.stream().flatMap(key -> values.get(key).stream()).toList();
        String names = joined(asked.stream().map(named::get).toList());
        boolean one = answers.size() == 1;
        String what = one
                ? "What is the secret " + valueKind.plural.substring(0, valueKind.plural.length() - 1) + " for " + names
                        + " in the text above?"
                : "What are all the secret " + valueKind.plural + " for " + names + " in the text above?";
        String begins = one
                ? " The secret " + valueKind.plural.substring(0, valueKind.plural.length() - 1) + " for " + names
                        + " in the text is"
                : " The secret " + valueKind.plural + " for " + names + " in the text are";
        return new Draft(
                "Secret " + valueKind.plural
                        + " are hidden in the following text. Remember them; they will be asked for.\n"
                        + String.join(haystack.isEmpty() ? "\n" : " ", strewn(haystack, facts, random))
                        + "\n",
                what,
                begins,
                answers);
    }

    /** Sentences with facts between them, at places drawn at random, in the order of the facts. */
    private static List<String> strewn(List<String> sentences, List<String> facts, PythonRandom random) {
        List<Integer> places = new ArrayList<>();
        facts.forEach(fact -> places.add(random.below(sentences.size() + 1)));
        Collections.sort(places);
        List<String> all = new ArrayList<>();
        int next = 0;
        for (int at = 0; at <= sentences.size(); at++) {
            while (next < facts.size() && places.get(next) == at) {
                all.add(facts.get(next++));
            }
            if (at < sentences.size()) {
                all.add(sentences.get(at));
            }
        }
        return all;
    }

    private static String joined(List<String> names) {
        return names.size() < 2
                ? String.join("", names)
                : String.join(", ", names.subList(0, names.size() - 1)) + ", and " + names.getLast();
    }

    private static Draft variables(List<String> noise, PythonRandom random) {
        List<String> capitals =
                IntStream.rangeClosed('A', 'Z').mapToObj(Character::toString).toList();
        List<String> names = new ArrayList<>();
        while (names.size() < 5) {
            String name = String.join("", random.choices(capitals, 5));
            if (!names.contains(name)) {
                names.add(name);
            }
        }
        String value = String.valueOf(random.between(10_000, 99_999));
        List<String> statements = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            statements.add("VAR " + names.get(i) + " = " + (i == 0 ? value : "VAR " + names.get(i - 1)));
        }
        String example = """
                Follow the variables in a text.
                VAR QRS = 12345
                The wind turned at noon.
                VAR TUV = VAR QRS
                Which variables have the value 12345 in the end? Answer: QRS TUV

                """;
        return new Draft(
                example + "Follow the variables in a text.\n" + String.join("\n", strewn(noise, statements, random))
                        + "\n",
                "Which variables have the value " + value + " in the end?",
                " Answer: the " + names.size() + " variables with the value " + value + " are",
                names);
    }

    private static Draft commonWords(Size size, Words words, PythonRandom random) {
        int commonTimes = size.tokens < SHORT_TEXT ? 6 : 30;
        int otherTimes = size.tokens < SHORT_TEXT ? 1 : 3;
        int units = size.units;
        List<String> drawn = random.sample(words.many(units + COMMON), units + COMMON);
        List<String> list = new ArrayList<>();
        for (int i = 0; i < drawn.size(); i++) {
            list.addAll(Collections.nCopies(i < COMMON ? commonTimes : otherTimes, drawn.get(i)));
        }
        random.shuffle(list);
        StringBuilder numbered =
                new StringBuilder("Some words occur much more often than others in the following list.\n");
        for (int i = 0; i < list.size(); i++) {
            numbered.append(i + 1).append(". ").append(list.get(i)).append(' ');
        }
        return new Draft(
                numbered.append('\n').toString(),
                "Which " + COMMON + " words occur most often in the list above?",
                " Answer: the " + COMMON + " words that occur most often are",
                drawn.subList(0, COMMON));
    }

    private static Draft frequentWords(int units, PythonRandom random) {
        List<String> letters =
                IntStream.rangeClosed('a', 'z').mapToObj(Character::toString).toList();
        int total = units * 10;
        List<String> coded = new ArrayList<>();
        List<String> answers = new ArrayList<>();
        for (int rank = 1; ; rank++) {
            int times = (int) Math.floor(total / (rank * (double) rank) / ZETA_2);
            if (times < 1) {
                break;
            }
            String word = rank == 1 ? "..." : String.join("", random.choices(letters, 6));
            coded.addAll(Collections.nCopies(times, word));
            if (rank >= 2 && rank <= 4) {
                answers.add(word);
            }
        }
        random.shuffle(coded);
        return new Draft(
                "Read the following coded text and watch how often each word occurs. The mark '...' does not count.\n"
                        + String.join(" ", coded)
                        + "\n",
                "Which three words occur most often in the coded text above?",
                " Answer: the three words that occur most often are",
                answers);
    }
}
