package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A kind of task with a text: what is planted in it, what is asked, what the answer is (RULER; NeedleBench). */
public enum TaskFamily {
    /** One fact: a name's number, which is several tokens long, so that one lucky token does not make an answer right. */
    NEEDLE("one fact") {
        @Override
        Planted plant(Draw draw, int tokens) {
            return Needle.number(draw, draw.attribute());
        }
    },
    /** Many names' numbers, one to three of which are asked for. */
    SEVERAL("several of many facts") {
        @Override
        Planted plant(Draw draw, int tokens) {
            Language language = draw.language();
            int units = language.units("several", tokens);
            int asked = Math.min(draw.any(language.numbers("several", "asked")), units);
            String attribute = draw.attribute();
            List<Map<String, String>> facts = new ArrayList<>();
            for (int unit = 0; unit < units; unit++) {
                facts.add(Map.of("attribute", attribute, "name", draw.word("name"), "value", draw.number()));
            }
            List<String> sentences = sentences(draw, "several", "facts", facts);
            List<Map<String, String>> wanted = facts.subList(0, asked);
            String names = join(
                    wanted.stream().map(fact -> fact.getOrDefault("name", "")).toList(),
                    language.form("several", "joinNames", "between"),
                    language.form("several", "joinNames", "last"));
            String question = asked == 1
                    ? Language.fill(draw.any(language.phrasings("several", "questionForOne")), facts.getFirst())
                    : Language.fill(
                            draw.any(language.phrasings("several", "questions")),
                            Map.of("attribute", attribute, "names", names));
            String part = language.form("several", asked == 1 ? "answerForOne" : "answerPart");
            String answer = wanted.stream()
                    .map(fact -> Language.fill(part, fact))
                    .collect(Collectors.joining(language.form("several", "joinAnswers")));
            return new Planted(
                    sentences.subList(0, asked),
                    sentences.subList(asked, units),
                    question,
                    answer,
                    wanted.stream().map(TaskFamily::value).toList());
        }
    },
    /** Many keys with values, one of which is asked for. */
    LOOKUP("key and value") {
        @Override
        Planted plant(Draw draw, int tokens) {
            List<Map<String, String>> pairs = new ArrayList<>();
            for (int unit = draw.language().units("lookup", tokens); unit > 0; unit--) {
                pairs.add(Map.of("key", draw.word("key"), "value", draw.number()));
            }
            return oneOf(draw, "lookup", pairs, List.of(value(pairs.getFirst())));
        }
    },
    /** A name's number is another name's. */
    HOPS("two hops") {
        @Override
        Planted plant(Draw draw, int tokens) {
            String attribute = draw.attribute();
            List<Map<String, String>> chains = new ArrayList<>();
            for (int unit = draw.language().units("hops", tokens); unit > 0; unit--) {
                chains.add(Map.of(
                        "attribute", attribute,
                        "name", draw.word("name"),
                        "other", draw.word("name"),
                        "value", draw.number()));
            }
            List<String> links = sentences(draw, "hops", "links", chains);
            List<String> ends = sentences(
                    draw,
                    "hops",
                    "facts",
                    chains.stream()
                            .map(chain -> Map.of(
                                    "attribute", attribute,
                                    "name", chain.getOrDefault("other", ""),
                                    "value", value(chain)))
                            .toList());
            List<String> others = new ArrayList<>(links.subList(1, links.size()));
            others.addAll(ends.subList(1, ends.size()));
            return asked(
                    draw,
                    "hops",
                    chains.getFirst(),
                    List.of(links.getFirst(), ends.getFirst()),
                    others,
                    List.of(value(chains.getFirst())));
        }
    },
    /** A number is put somewhere and copied on; all its places are asked for. */
    TRACKING("variable tracking") {
        @Override
        Planted plant(Draw draw, int tokens) {
            Language language = draw.language();
            int length = language.number("tracking", "chain");
            List<String> first = new ArrayList<>();
            List<String> others = new ArrayList<>();
            List<String> places = new ArrayList<>();
            String wanted = "";
            int units = language.units("tracking", tokens);
            for (int unit = 0; unit < units; unit++) {
                List<String> target = unit == 0 ? first : others;
                String value = draw.number();
                String key = draw.word("key");
                target.add(Language.fill(
                        draw.any(language.phrasings("tracking", "starts")), Map.of("value", value, "key", key)));
                if (unit == 0) {
                    wanted = value;
                    places.add(key);
                }
                for (int link = 1; link < length; link++) {
                    String other = draw.word("key");
                    target.add(Language.fill(
                            draw.any(language.phrasings("tracking", "copies")), Map.of("key", key, "other", other)));
                    key = other;
                    if (unit == 0) {
                        places.add(key);
                    }
                }
            }
            String part = language.form("tracking", "answerPart");
            return new Planted(
                    first,
                    others,
                    Language.fill(draw.any(language.phrasings("tracking", "questions")), Map.of("value", wanted)),
                    places.stream()
                            .map(place -> Language.fill(part, Map.of("key", place)))
                            .collect(Collectors.joining(language.form("tracking", "joinAnswers"))),
                    places);
        }
    },
    /** A paragraph with a heading is to be read out. */
    PARAGRAPH("the named paragraph") {
        @Override
        Planted plant(Draw draw, int tokens) {
            Chronicle chronicle = new Chronicle(draw.language());
            List<Map<String, String>> paragraphs = new ArrayList<>();
            for (int unit = draw.language().units("paragraph", tokens); unit > 0; unit--) {
                paragraphs.add(Map.of("key", draw.word("key"), "sentence", chronicle.sentence(draw.split())));
            }
            return oneOf(
                    draw, "paragraph", paragraphs, List.of(paragraphs.getFirst().getOrDefault("sentence", "")));
        }
    },
    /** Each trade has a label, shown by examples; an example of a new town is to be labelled. */
    LABELS("labels by example") {
        @Override
        Planted plant(Draw draw, int tokens) {
            Language language = draw.language();
            int examples = language.number("labels", "examplesPerLabel");
            int labels = language.units("labels", tokens);
            String asked = draw.word("town");
            List<String> first = new ArrayList<>();
            List<String> others = new ArrayList<>();
            Map<String, String> wanted = Map.of();
            for (int label = 0; label < labels; label++) {
                String trade = draw.word("trade");
                String possession = draw.possession();
                for (int example = 0; example < examples; example++) {
                    Map<String, String> words = Map.of("town", draw.word("town"), "trade", trade, "label", possession);
                    (label == 0 ? first : others)
                            .add(Language.fill(draw.any(language.phrasings("labels", "facts")), words));
                }
                if (label == 0) {
                    wanted = Map.of("town", asked, "trade", trade, "label", possession);
                }
            }
            return asked(draw, "labels", wanted, first, others, List.of(wanted.getOrDefault("label", "")));
        }
    },
    /** A record of several words is to be copied. */
    RECORD("copy a record") {
        @Override
        Planted plant(Draw draw, int tokens) {
            Language language = draw.language();
            List<String> trades = language.pool("trade");
            List<Map<String, String>> records = new ArrayList<>();
            for (int unit = language.units("record", tokens); unit > 0; unit--) {
                String record = Language.fill(
                        language.form("record", "record"),
                        Map.of(
                                "name", draw.word("name"),
                                "town", draw.word("town"),
                                "trade", draw.any(trades),
                                "value", draw.number()));
                records.add(Map.of("key", draw.word("key"), "record", record));
            }
            return oneOf(draw, "record", records, List.of(records.getFirst().getOrDefault("record", "")));
        }
    };

    private final String description;

    TaskFamily(String description) {
        this.description = description;
    }

    /** As written on the command line and in reports. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** A few words for a person. */
    public String description() {
        return description;
    }

    /**
     * A task.
     *
     * @param tokens length of the text, which says how much is planted
     */
    abstract Planted plant(Draw draw, int tokens);

    /**
     * The family of a name.
     *
     * @throws LayercakeException (bad input) if there is none
     */
    public static TaskFamily parse(String text) {
        return Arrays.stream(values())
                .filter(family -> family.label().equals(text.strip().toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> LayercakeException.badInput("There is no family '" + text + "'; possible are "
                        + Arrays.stream(values()).map(TaskFamily::label).collect(Collectors.joining(", ")) + "."));
    }

    /** A task of which the first unit is asked for, and every unit is one sentence. */
    private static Planted oneOf(Draw draw, String family, List<Map<String, String>> units, List<String> facts) {
        List<String> sentences = sentences(draw, family, "facts", units);
        return asked(
                draw, family, units.getFirst(), sentences.subList(0, 1), sentences.subList(1, sentences.size()), facts);
    }

    private static Planted asked(
            Draw draw,
            String family,
            Map<String, String> words,
            List<String> asked,
            List<String> others,
            List<String> facts) {
        Language language = draw.language();
        return new Planted(
                asked,
                others,
                Language.fill(draw.any(language.phrasings(family, "questions")), words),
                Language.fill(language.form(family, "answer"), words),
                facts);
    }

    private static List<String> sentences(Draw draw, String family, String kind, List<Map<String, String>> units) {
        List<String> phrasings = draw.language().phrasings(family, kind);
        return units.stream()
                .map(words -> Language.fill(draw.any(phrasings), words))
                .toList();
    }

    private static String value(Map<String, String> words) {
        return words.getOrDefault("value", "");
    }

    private static String join(List<String> words, String between, String last) {
        int end = words.size() - 1;
        return end == 0 ? words.getFirst() : String.join(between, words.subList(0, end)) + last + words.get(end);
    }
}
