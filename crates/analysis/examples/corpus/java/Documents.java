package org.example.documents;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

/** Hands out documents, and titles of them. */
public class Documents extends HttpServlet {
    private static final Path ROOT = Paths.get("/srv/documents");

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String name = request.getParameter("name");
        File file = new File(ROOT.toFile(), name);
        if (!file.exists()) {
            response.getWriter().println("<p>No document " + name + "</p>");
            return;
        }
        for (String title : titles(file)) {
            response.getWriter().println(title);
        }
    }

    List<String> titles(File file) throws IOException {
        List<String> found = new ArrayList<>();
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            DocumentBuilder builder = factory.newDocumentBuilder();
            Document document = builder.parse(file);
            NodeList nodes = document.getElementsByTagName("title");
            for (int at = 0; at < nodes.getLength(); at++) {
                found.add(nodes.item(at).getTextContent().trim());
            }
        } catch (Exception error) {
            throw new IOException(error);
        }
        return found;
    }

    static String safeName(String name) throws IOException {
        Path path = ROOT.resolve(name).normalize();
        if (!path.startsWith(ROOT)) {
            throw new IOException("outside: " + name);
        }
        return Files.readString(path);
    }
}
