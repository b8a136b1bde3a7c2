package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import dev.layercake.kernels.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
    @TempDir
    Path folder;

    @Test
    void readsWhatTheWriterWrote() {
        Path path = folder.resolve("a.safetensors");
        new SafetensorsWriter()
                .metadata("format", "pt")
                .add("bytes", "U8", TensorContent.of(MemorySegment.ofArray(new byte[] {1, 2, 3})), 3)
                .add("matrix", DType.F32, TensorContent.ofFloats(1, 2, 3, 4, 5, 6), 2, 3)
                .add("vector", DType.F32, TensorContent.ofFloats(7, 8), 2)
                .add("scalar", DType.F32, TensorContent.ofFloats(9))
                .add("experts", DType.F32, TensorContent.ofFloats(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), 3, 2, 2)
                .add("nothing", DType.F32, TensorContent.ofFloats(), 0, 4)
                .write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.metadata()).containsExactlyEntriesOf(java.util.Map.of("format", "pt"));
            assertThat(file.names()).containsExactly("matrix", "vector", "scalar", "experts", "nothing", "bytes");
            assertThat(file.fileBytes()).isEqualTo(path.toFile().length());

            Tensor matrix = file.tensor("matrix");
            assertThat(matrix.rows()).isEqualTo(2);
            assertThat(matrix.columns()).isEqualTo(3);
            assertThat(matrix.toArray()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(file.tensor("vector").rows()).isEqualTo(1);
            assertThat(file.tensor("vector").toArray()).containsExactly(7, 8);
            assertThat(file.tensor("scalar").toArray()).containsExactly(9);
            assertThat(file.tensor("experts").rows()).isEqualTo(6);
            assertThat(file.tensor("experts", 1).toArray()).containsExactly(4, 5, 6, 7);
            assertThat(file.tensor("experts", 2).rows()).isEqualTo(2);
            assertThat(file.tensor("nothing").bytes()).isZero();
            assertThat(file.data("bytes").toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3);
            assertThat(file.info("experts").shape()).containsExactly(3L, 2L, 2L);
            assertThat(file.info("experts").elements()).isEqualTo(12);
            assertThat(file.find("other")).isEmpty();

            assertThatThrownBy(() -> file.tensor("bytes"))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("\"bytes\" has type U8");
            assertThatThrownBy(() -> file.tensor("other"))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("there is no tensor \"other\"");
            assertThatThrownBy(() -> file.tensor("experts", 3)).hasMessageContaining("has 3 matrices");
            assertThatThrownBy(() -> file.tensor("matrix", 0)).hasMessageContaining("not one matrix per expert");
        }
    }

    @Test
    void listsEveryTypeOfTheFormatAndThoseOfTheFuture() throws IOException {
        Path path = RawSafetensors.write(folder.resolve("a.safetensors"), """
                {"i64":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},
                 "f64":{"dtype":"F64","shape":[],"data_offsets":[8,16]},
                 "bool":{"dtype":"BOOL","shape":[2],"data_offsets":[16,18]},
                 "f8":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[18,21]},
                 "f4":{"dtype":"F4","shape":[6],"data_offsets":[21,24],"unknown":{"a":[1,{}]}},
                 "odd":{"dtype":"F32","shape":[2],"data_offsets":[25,33]}}  \s""", 33);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.names().stream().map(name -> file.info(name).dtypeName()))
                    .containsExactly("I64", "F64", "BOOL", "F8_E4M3", "F4", "F32");
            assertThat(file.data("f4").toArray(ValueLayout.JAVA_BYTE)).containsExactly(22, 23, 24);
            // Data need not be aligned to their elements.
            assertThat(Float.floatToRawIntBits(file.tensor("odd").get(0, 1))).isEqualTo(0x21201f1e);
            assertThatThrownBy(() -> file.tensor("f4")).hasMessageContaining("F4");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"F32", "F16", "BF16"})
    void mapsTheComputableTypes(String name) {
        Path path = folder.resolve("a.safetensors");
        byte[] bytes = new byte[(int) DType.valueOf(name).rowBytes(6)];
        bytes[bytes.length - 1] = 7;
        new SafetensorsWriter()
                .add("t", name, TensorContent.of(MemorySegment.ofArray(bytes)), 2, 3)
                .write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            Tensor tensor = file.tensor("t");
            assertThat(tensor.dtype()).isEqualTo(DType.valueOf(name));
            assertThat(tensor.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
            assertThat(tensor.data().isReadOnly()).isTrue();
        }
    }

    /** Columns: header, bytes of data, what the message must say. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} | 7 | lies at bytes 0 to 8",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}} | 8 | lies at bytes 8 to 0",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}} | 8 | shape [2] but 4 bytes",
                "{'a':{'dtype':'F32','shape':[0],'data_offsets':[0,4]}} | 8 | shape [0] but 4 bytes",
                "{'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}} | 8 | negative number -2",
                "{'a':{'dtype':'F32','shape':[2.5],'data_offsets':[0,8]}} | 8 | not a list of whole numbers",
                "{'a':{'dtype':'F32','shape':['2'],'data_offsets':[0,8]}} | 8 | not a list of whole numbers",
                "{'a':{'dtype':'F32','shape':[4611686018427387904,4],'data_offsets':[0,8]}} | 8 | more than can be",
                "{'a':{'dtype':'F32','shape':[0,4611686018427387904,4],'data_offsets':[0,0]}} | 8 | more than can be",
                "{'a':{'dtype':'F32','shape':[9223372036854775808],'data_offsets':[0,8]}} | 8 | not valid JSON",
                "{'a':{'dtype':'F32','shape':[1,1,1,1,1,1,1,1,2],'data_offsets':[0,8]}} | 8 | more than 8 numbers",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,9223372036854775807]}} | 8 | lies at bytes 0 to",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8,8]}} | 8 | more than 2 numbers",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0]}} | 8 | lacks one of",
                "{'a':{'dtype':'F32','shape':[2]}} | 8 | lacks one of",
                "{'a':{'dtype':'F 32','shape':[2],'data_offsets':[0,8]}} | 8 | not the name of a type",
                "{'a':{'dtype':7,'shape':[2],'data_offsets':[0,8]}} | 8 | a whole number where a string belongs",
                "{'a':[]} | 8 | a list where an object belongs",
                "{'a':{'dtype':'U8','shape':[2],'data_offsets':[0,2]},'a':{}} | 8 | not valid JSON",
                "{'a':{'dtype':'U8','dtype':'U8','shape':[2],'data_offsets':[0,2]}} | 8 | not valid JSON",
                "{'a':{'dtype':'U8','shape':[2],'data_offsets':[0,2]},'b':{'dtype':'U8','shape':[2],'data_offsets':[1,3]}}"
                        + " | 8 | \"a\" and \"b\" overlap",
                "{'__metadata__':{'a':1}} | 0 | a whole number where a string belongs",
                "{'a':{'x':[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}} | 0 | nesting",
                "{} {} | 0 | goes on after",
                "{'a' | 0 | not valid JSON",
                "[] | 0 | does not begin with {",
            })
    void refusesAnUnsoundHeader(String header, int dataBytes, String message) throws IOException {
        Path path = RawSafetensors.write(folder.resolve("bad.safetensors"), header.replace('\'', '"'), dataBytes);
        assertThatThrownBy(() -> SafetensorsFile.open(path).close())
                .isInstanceOfSatisfying(
                        LayercakeException.class, e -> assertThat(e.category()).isEqualTo(Category.BAD_MODEL))
                .hasMessageStartingWith(path.toString())
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 3, 100_000_001, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void refusesALengthThatTheFileDoesNotHave(long announced) throws IOException {
        Path path = RawSafetensors.write(folder.resolve("bad.safetensors"), announced, "{}", 0);
        assertThatThrownBy(() -> SafetensorsFile.open(path).close())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("the header has " + Long.toUnsignedString(announced) + " bytes");
    }

    @Test
    void refusesAHeaderLargerThanTheFormatAllows() throws IOException {
        Path path = folder.resolve("bad.safetensors");
        try (java.io.RandomAccessFile file = new java.io.RandomAccessFile(path.toFile(), "rw")) {
            file.writeLong(Long.reverseBytes(Json.LARGEST_HEADER_BYTES + 1L));
            file.setLength(Json.LARGEST_HEADER_BYTES + 100L);
        }
        assertThatThrownBy(() -> SafetensorsFile.open(path).close()).hasMessageContaining("more than the 100000000");
    }

    @Test
    void namesWhatIsWrongWithAFileThatIsNone() throws IOException {
        Path missing = folder.resolve("missing.safetensors");
        assertThatThrownBy(() -> SafetensorsFile.open(missing))
                .isInstanceOf(LayercakeException.class)
                .hasMessage(missing + " does not exist: check the path");
        assertThatThrownBy(() -> SafetensorsFile.open(folder)).hasMessageContaining("is a folder");
        Path empty = Files.createFile(folder.resolve("empty.safetensors"));
        assertThatThrownBy(() -> SafetensorsFile.open(empty)).hasMessageContaining("is empty");
        Path tiny = Files.write(folder.resolve("tiny.safetensors"), new byte[3]);
        assertThatThrownBy(() -> SafetensorsFile.open(tiny)).hasMessageContaining("too few");
        Path pointer =
                Files.writeString(folder.resolve("p.safetensors"), "version https://git-lfs.github.com/spec/v1\n");
        assertThatThrownBy(() -> SafetensorsFile.open(pointer)).hasMessageContaining("git lfs pull");
    }

    @Test
    void aTensorIsGoneWhenTheFileIsClosed() throws IOException {
        Path path = RawSafetensors.write(
                folder.resolve("a.safetensors"), "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        SafetensorsFile file = SafetensorsFile.open(path);
        Tensor tensor = file.tensor("a");
        file.close();
        file.close();
        assertThatThrownBy(() -> tensor.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void seesPartsThroughTheirIndex() throws IOException {
        Path index = writeParts();
        try (TensorSource source = SafetensorsFile.openSharded(index)) {
            assertThat(source.names()).containsExactly("b", "a");
            assertThat(source.tensor("a").toArray()).containsExactly(1, 2);
            assertThat(source.tensor("b").toArray()).containsExactly(3);
            assertThat(source.find("hidden")).isEmpty();
            assertThat(source.fileBytes())
                    .isEqualTo(folder.resolve("one.safetensors").toFile().length()
                            + folder.resolve("two.safetensors").toFile().length());
            assertThatThrownBy(() -> source.data("hidden")).isInstanceOf(LayercakeException.class);
        }
    }

    private Path writeParts() throws IOException {
        new SafetensorsWriter()
                .add("a", DType.F32, TensorContent.ofFloats(1, 2), 2)
                .add("hidden", DType.F32, TensorContent.ofFloats(5), 1)
                .write(folder.resolve("one.safetensors"));
        new SafetensorsWriter()
                .add("b", DType.F32, TensorContent.ofFloats(3), 1)
                .write(folder.resolve("two.safetensors"));
        return Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"metadata\":{\"total_size\":12},\"weight_map\":{\"b\":\"two.safetensors\",\"a\":\"one.safetensors\"}}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'weight_map':{'a':'two.safetensors'}} | which does not have it",
                "{'weight_map':{'a':'three.safetensors'}} | is missing",
                "{'weight_map':{'a':'../one.safetensors'}} | not a file of its own folder",
                "{'weight_map':{'a':'/etc/passwd'}} | not a file of its own folder",
                "{'weight_map':{'a':''}} | not a file of its own folder",
                "{'weight_map':{'a':'.'}} | not a file of its own folder",
                "{'weight_map':{'a':'\\u0000'}} | not a file of its own folder",
                "{'weight_map':{'a':1}} | a whole number where a string belongs",
                "{'weight_map':[]} | a list where an object belongs",
                "{'weight_map':{}} | missing or empty",
                "{} | missing or empty",
                "[] | a list where an object belongs",
                "{'weight_map':{'a':'one.safetensors','a':'one.safetensors'}} | not valid JSON",
                "{'weight_map':{'a':'one.safetensors'}} x | not valid JSON",
            })
    void refusesAnUnsoundIndex(String json, String message) throws IOException {
        Path index = Files.writeString(writeParts(), json.replace('\'', '"'));
        assertThatThrownBy(() -> SafetensorsFile.openSharded(index).close())
                .isInstanceOfSatisfying(
                        LayercakeException.class, e -> assertThat(e.category()).isEqualTo(Category.BAD_MODEL))
                .hasMessageContaining(message);
    }

    @Test
    void messagesStayOnOneShortLine() throws IOException {
        String name = "\\n\\t\\u0007" + "x".repeat(10_000);
        Path path = RawSafetensors.write(folder.resolve("bad.safetensors"), "{\"" + name + "\":{}}", 0);
        assertThatThrownBy(() -> SafetensorsFile.open(path).close())
                .satisfies(
                        e -> assertThat(List.of(String.valueOf(e.getMessage()).split("\\R")))
                                .hasSize(1))
                .satisfies(
                        e -> assertThat(String.valueOf(e.getMessage()).length()).isLessThan(500));
    }
}
