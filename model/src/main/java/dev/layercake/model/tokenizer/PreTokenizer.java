package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A rule that cuts text into words before byte-level BPE merges inside each word. GGUF files name it in
 * {@code tokenizer.ggml.pre}; the expressions are those of the models' own tokenizer.json files.
 *
 * @param expressions cuts made one after the other; what an expression does not match stays a word
 * @param ignoresMerges whether a word that is in the vocabulary is taken whole
 * @param addsBos whether the beginning-of-text token is added when the file does not say
 * @param composes whether the text is brought into Unicode's form NFC first
 */
record PreTokenizer(List<String> expressions, boolean ignoresMerges, boolean addsBos, boolean composes) {
    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String LINES_AND_SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String WORDS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
    private static final String SYMBOLS = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";

    private static final String GPT_2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String LLAMA_3 = CONTRACTIONS + "|" + WORDS + "|\\p{N}{1,3}" + SYMBOLS + LINES_AND_SPACES;
    private static final String QWEN_2 = CONTRACTIONS + "|" + WORDS + "|\\p{N}" + SYMBOLS + LINES_AND_SPACES;
    private static final String QWEN_35 = CONTRACTIONS
            + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
            + LINES_AND_SPACES;

    // Words in which an upper-case run and the lower-case run after it stay together.
    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String BEFORE_WORD = "[^\\r\\n\\p{L}\\p{N}]?";
    private static final String SYMBOLS_AND_SLASHES = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*";
    private static final String TEKKEN = BEFORE_WORD + UPPER + "*" + LOWER + "+|" + BEFORE_WORD + UPPER + "+" + LOWER
            + "*|\\p{N}" + SYMBOLS_AND_SLASHES + LINES_AND_SPACES;
    private static final String GPT_4O = BEFORE_WORD + UPPER + "*" + LOWER + "+" + CONTRACTIONS + "?|" + BEFORE_WORD
            + UPPER + "+" + LOWER + "*" + CONTRACTIONS + "?|\\p{N}{1,3}" + SYMBOLS_AND_SLASHES + LINES_AND_SPACES;

    private static final String LINE_BREAK = "[\\r\\n]";
    private static final String EAST_ASIAN = "[\\x{4E00}-\\x{9FA5}\\x{0800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+";
    // DeepSeek's list of the letters with case, which leaves out some alphabets: Armenian and Georgian small letters,
    // phonetic and mathematical ones.
    private static final String CASED_LETTERS = "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}&&[^"
            + "\\x{0560}-\\x{0588}\\x{10C7}\\x{10CD}-\\x{10FF}\\x{1C80}-\\x{1C8F}\\x{2D00}-\\x{2D2D}\\x{A790}-\\x{A7FF}"
            + "\\x{AB30}-\\x{AB6F}\\x{10570}-\\x{105BF}\\x{10D50}-\\x{10D85}\\x{16E40}-\\x{16E7F}\\x{1D400}-\\x{1D7FF}\\x{1DF00}-\\x{1DFFF}"
            + "]]+";
    private static final String WESTERN_AND_WIDE_SYMBOLS =
            "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+";
    private static final String DEEPSEEK_3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
            + LINES_AND_SPACES;

    private static final Map<String, PreTokenizer> BY_NAME = new TreeMap<>();

    static {
        register(plain("[\\p{P}\\$\\+<=>\\^~\\|]+", GPT_2, "\\p{N}+", "[0-9][0-9][0-9]"), "default");
        register(plain(GPT_2), "gpt-2", "phi-2", "mpt", "olmo", "exaone4", "trillion");
        register(
                plain("\\p{N}", GPT_2),
                "starcoder",
                "refact",
                "command-r",
                "smollm",
                "codeshell",
                "exaone",
                "minerva-7b");
        register(
                new PreTokenizer(List.of(LLAMA_3), true, true, false),
                "llama-bpe",
                "llama3",
                "llama-v3",
                "falcon3",
                "pixtral");
        register(plain(LLAMA_3), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe");
        register(new PreTokenizer(List.of(QWEN_2), false, false, true), "qwen2", "deepseek-r1-qwen");
        register(new PreTokenizer(List.of(QWEN_35), false, false, true), "qwen35");
        register(plain(QWEN_2), "stablelm2", "megrez", "hunyuan");
        register(
                plain(LINE_BREAK, CASED_LETTERS, WESTERN_AND_WIDE_SYMBOLS, "\\s+$", EAST_ASIAN, "\\p{N}+"),
                "deepseek-llm");
        register(plain(LINE_BREAK, "\\s?\\p{L}+", "\\s?\\p{P}+", EAST_ASIAN, "\\p{N}"), "deepseek-coder");
        register(
                plain("\\p{N}{1,3}", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+", DEEPSEEK_3),
                "deepseek-v3",
                "hunyuan-dense");
        register(plain("[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT_2, "[0-9][0-9][0-9]"), "falcon");
        register(new PreTokenizer(List.of(TEKKEN), true, true, false), "tekken");
        register(plain(GPT_4O), "gpt-4o", "llama4");
    }

    /**
     * Finds a rule by its name in GGUF files.
     *
     * @throws LayercakeException (bad model) if it is unknown, with the names that are known
     */
    static PreTokenizer named(String name) {
        PreTokenizer rule = BY_NAME.get(name);
        if (rule == null) {
            throw LayercakeException.badModel("The pre-tokenizer " + Quote.of(name)
                    + " (tokenizer.ggml.pre) is not supported; known are " + String.join(", ", BY_NAME.keySet()) + ".");
        }
        return rule;
    }

    private static PreTokenizer plain(String... expressions) {
        return new PreTokenizer(List.of(expressions), false, false, false);
    }

    private static void register(PreTokenizer rule, String... names) {
        for (String name : names) {
            BY_NAME.put(name, rule);
        }
    }
}
