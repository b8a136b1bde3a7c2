package dev.layercake.model.tokenizer;

import java.util.List;

/** Small files of our own with the kinds of sections that no golden file has. */
final class SmallFiles {
    private static final String UNIGRAM = """
                {"added_tokens":[],"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁",\
                "prepend_scheme":"%s","split":%s},"decoder":{"type":"Metaspace","replacement":"▁"},\
                "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,"vocab":[["<unk>",0],["▁",-2],["t",-3],["h",-3.5],\
                ["e",-3.2],["th",-4],["the",-4.5],["▁the",-3.9],["a",-3],["c",-3.1],["ake",-5],["▁c",-4.4],["i",-3],["n",-3],\
                ["ing",-4.6],["in",-5.5],["1",-4],["2",-4],["23",-5]]}}""";
    private static final String WORD_PIECE = """
                {"added_tokens":[{"id":1,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,\
                "special":true},{"id":2,"content":"[SEP]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],\
                "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,\
                "lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing",\
                "sep":["[SEP]",2],"cls":["[CLS]",1]},"decoder":{"type":"Fuse"},"model":{"type":"WordPiece",\
                "unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,\
                "[CLS]":1,"[SEP]":2,"the":3,"##e":4,"th":5,"c":6,"##ake":7,"##a":8,"i":9,"##n":10,"##g":11,".":12,"1":13,\
                "##2":14,"##3":15,"'":16,"don":17,"t":18,"<":19,"e":20,"-":21}}}""";
    private static final String BYTE_PAIR = """
                {"added_tokens":[],"normalizer":%s,"pre_tokenizer":%s,"decoder":{"type":"Fuse"},"model":{"type":"BPE",\
                "unk_token":"?","fuse_unk":%s,"vocab":{"?":0,"t":1,"h":2,"e":3,"th":4,"the":5,"c":6,"a":7,"k":8,"ak":9,\
                "ake":10," ":11,"n":12,"i":13,"1":14,"2":15,"12":16,"3":17,"'":18,"-":19,"l":20,"L":21,".":22},\
                "merges":["t h","th e","a k","ak e","1 2"]}}""";

    static final List<String> ALL = List.of(
            UNIGRAM.formatted("first", "true"),
            UNIGRAM.formatted("always", "false"),
            UNIGRAM.formatted("never", "true"),
            WORD_PIECE,
            BYTE_PAIR.formatted("{\"type\":\"Lowercase\"}", "{\"type\":\"Whitespace\"}", "false"),
            BYTE_PAIR.formatted("{\"type\":\"Nmt\"}", "null", "false"),
            BYTE_PAIR.formatted(
                    "{\"type\":\"ByteLevel\"}", "{\"type\":\"Digits\",\"individual_digits\":false}", "false"),
            BYTE_PAIR.formatted("null", "{\"type\":\"UnicodeScripts\"}", "false"),
            BYTE_PAIR.formatted(
                    "null",
                    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"UnicodeScripts\"},{\"type\":\"Metaspace\",\"replacement\":\"h\",\"prepend_scheme\":\"first\",\"split\":true}]}",
                    "false"),
            BYTE_PAIR.formatted("{\"type\":\"NFD\"}", "{\"type\":\"WhitespaceSplit\"}", "true"),
            BYTE_PAIR.formatted(
                    "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}",
                    "{\"type\":\"Digits\",\"individual_digits\":true}",
                    "false"),
            BYTE_PAIR.formatted(
                    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"}]}",
                    "{\"type\":\"Digits\",\"individual_digits\":false}",
                    "true"),
            BYTE_PAIR.formatted("null", "{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}", "false"),
            BYTE_PAIR.formatted("null", split("\\\\s", "MergedWithPrevious", false), "false"),
            BYTE_PAIR.formatted("null", split("\\\\s", "MergedWithNext", false), "false"),
            BYTE_PAIR.formatted("null", split("[a-z]+(?=e)|(\\\\d\\\\d)+", "Isolated", false), "false"),
            BYTE_PAIR.formatted("null", split("\\\\w+?e", "Contiguous", true), "false"),
            BYTE_PAIR.formatted("null", split("[[:alpha:]]+|\\\\h", "Removed", true), "false"));

    private static final String DECODED = """
            {"added_tokens":[],"decoder":%s,"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",\
            "max_input_chars_per_word":100,"vocab":{"[UNK]":0,"the":1,"##e":2,"##'":3,"'":4,"'s":5,"n't":6,"do":7,"not":8,\
            "do not":9,".":10,"?":11,"!":12,",":13,"'m":14,"'ve":15,"##s":16,"a</w>":17,"th</w>e":18,"</w>":19,"中":20,"##":21,\
            "####x":22," ' ' ":23,"'re":24,"</w></w>":25,"re ":26,"## .":27}}}""";

    /** Files with decoders that no golden file has; every number below 28 is a token. */
    static final List<String> DECODERS = List.of(
            DECODED.formatted("{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}"),
            DECODED.formatted("{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}"),
            DECODED.formatted("{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}"));

    private SmallFiles() {}

    private static String split(String expression, String behavior, boolean inverted) {
        return "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" + expression + "\"},\"behavior\":\"" + behavior
                + "\",\"invert\":" + inverted + "}";
    }
}
