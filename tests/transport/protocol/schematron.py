"""The federation's Schematron, run by a real XSLT processor (Saxon).

Schematron is compiled to XSLT 2 as ISO 19757-3 says: a pattern is a mode, the first rule whose context
matches a node takes it, abstract patterns are instantiated by their parameters.
"""

from functools import cache
from pathlib import Path

from lxml import etree
from saxonche import PySaxonApiError, PySaxonProcessor

_SCH = "{http://purl.oclc.org/dsdl/schematron}"
_XSL = "http://www.w3.org/1999/XSL/Transform"


def failed_rules(schema: Path, document: bytes) -> set[str]:
    """Ids of the rules, or of their patterns where they have none, that the document breaks."""
    processor, executable = _compiled(schema)
    node = processor.parse_xml(xml_text=document.decode("utf-8-sig"))
    try:
        result = executable.transform_to_string(xdm_node=node)
    except PySaxonApiError:
        # A rule that cannot be evaluated, since an element stands twice: no document passes so.
        return {"not evaluated"}
    return set(etree.fromstring(result.encode()).xpath("//failed/text()"))


@cache
def _compiled(schema: Path):
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, compiler.compile_stylesheet(stylesheet_text=_stylesheet(schema))


def _stylesheet(schema: Path) -> str:
    root = etree.parse(str(schema)).getroot()
    namespaces = {ns.get("prefix"): ns.get("uri") for ns in root.iter(_SCH + "ns")}
    sheet = etree.Element(f"{{{_XSL}}}stylesheet", nsmap={"xsl": _XSL, **namespaces}, version="2.0")
    main = etree.SubElement(sheet, f"{{{_XSL}}}template", match="/")
    results = etree.SubElement(main, "results")
    abstract = {p.get("id"): p for p in root.iter(_SCH + "pattern") if p.get("abstract") == "true"}
    for number, pattern in enumerate(root.iter(_SCH + "pattern")):
        if pattern.get("abstract") == "true":
            continue
        mode = f"pattern{number}"
        etree.SubElement(results, f"{{{_XSL}}}apply-templates", select="/", mode=mode)
        parameters = {p.get("name"): p.get("value") for p in pattern.findall(_SCH + "param")}
        body = abstract[pattern.get("is-a")] if pattern.get("is-a") else pattern
        _add_rules(sheet, body, mode, pattern.get("id", ""), parameters)
    return etree.tostring(sheet, encoding="unicode")


def _add_rules(sheet, pattern, mode: str, name: str, parameters: dict[str, str]) -> None:
    def instantiated(expression: str) -> str:
        for key in sorted(parameters, key=len, reverse=True):
            expression = expression.replace(f"${key}", parameters[key])
        return expression

    for order, rule in enumerate(pattern.findall(_SCH + "rule")):
        template = etree.SubElement(
            sheet,
            f"{{{_XSL}}}template",
            match=instantiated(rule.get("context")),
            mode=mode,
            priority=str(1000 - order),
        )
        for assertion in rule.findall(_SCH + "assert"):
            test = f"not({instantiated(assertion.get('test'))})"
            failed = etree.SubElement(etree.SubElement(template, f"{{{_XSL}}}if", test=test), "failed")
            failed.text = assertion.get("id") or name
        etree.SubElement(template, f"{{{_XSL}}}apply-templates", select="node()", mode=mode)
    rest = etree.SubElement(sheet, f"{{{_XSL}}}template", match="node() | /", mode=mode, priority="-1")
    etree.SubElement(rest, f"{{{_XSL}}}apply-templates", select="node()", mode=mode)
