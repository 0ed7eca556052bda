import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * A warm Java compiler: requests on standard input, answers on standard output, nothing on disk.
 *
 * <p>A request is a file name and a source, each a length and its bytes. An answer is a length, then one byte (1 when it compiled), then either
 * the compiler's message or a count and as many classes, each a path and its bytes.
 */
public final class CompileServer {
    private static final JavaCompiler COMPILER = ToolProvider.getSystemJavaCompiler();

    private CompileServer() {}

    public static void main(String[] arguments) throws IOException {
        DataInputStream requests = new DataInputStream(new java.io.BufferedInputStream(new java.io.FileInputStream(java.io.FileDescriptor.in)));
        OutputStream answers = new java.io.FileOutputStream(java.io.FileDescriptor.out);
        // Nothing that a compiler prints may get between the answers.
        System.setOut(System.err);
        while (true) {
            String name;
            try {
                name = new String(readBlock(requests), StandardCharsets.UTF_8);
            } catch (EOFException end) {
                return;
            }
            byte[] answer = compile(name, new String(readBlock(requests), StandardCharsets.UTF_8));
            ByteArrayOutputStream whole = new ByteArrayOutputStream();
            writeBlock(new DataOutputStream(whole), answer);
            answers.write(whole.toByteArray());
            answers.flush();
        }
    }

    private static byte[] compile(String name, String source) throws IOException {
        ByteArrayOutputStream answer = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(answer);
        StringWriter message = new StringWriter();
        try (Memory memory = new Memory(COMPILER.getStandardFileManager(null, null, StandardCharsets.UTF_8))) {
            List<String> options = List.of("-proc:none", "-nowarn", "-implicit:none");
            boolean compiled;
            try {
                compiled = COMPILER.getTask(message, memory, null, options, null, List.of(new Source(name, source))).call();
            } catch (RuntimeException | StackOverflowError error) {
                message.write("compiler failed: " + error);
                compiled = false;
            }
            out.writeByte(compiled ? 1 : 0);
            if (!compiled) {
                writeBlock(out, message.toString().getBytes(StandardCharsets.UTF_8));
                return answer.toByteArray();
            }
            out.writeInt(memory.classes.size());
            for (Map.Entry<String, ByteArrayOutputStream> entry : memory.classes.entrySet()) {
                writeBlock(out, entry.getKey().getBytes(StandardCharsets.UTF_8));
                writeBlock(out, entry.getValue().toByteArray());
            }
        }
        return answer.toByteArray();
    }

    private static byte[] readBlock(DataInputStream in) throws IOException {
        byte[] block = new byte[in.readInt()];
        in.readFully(block);
        return block;
    }

    private static void writeBlock(DataOutputStream out, byte[] block) throws IOException {
        out.writeInt(block.length);
        out.write(block);
    }

    private static final class Source extends SimpleJavaFileObject {
        private final String text;

        Source(String name, String text) {
            super(URI.create("string:///" + name), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }

        @Override
        public String getName() {
            return toUri().getPath().substring(1);
        }
    }

    private static final class Memory extends ForwardingJavaFileManager<JavaFileManager> {
        final Map<String, ByteArrayOutputStream> classes = new LinkedHashMap<>();

        Memory(JavaFileManager rest) {
            super(rest);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
            String path = name.replace('.', '/') + ".class";
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            classes.put(path, content);
            return new SimpleJavaFileObject(URI.create("memory:///" + path.replace('$', '_')), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return content;
                }
            };
        }
    }
}
